"""Keep the wide columns of an event outside its row, on PostgreSQL.

Each step of an event writes a new version of its row to the table and to the log. The body and the
payload are its widest columns and never change. So they are kept in the table's other storage
(TOAST), and a new version only refers to them.
"""

from typing import Any

from django.db import connections
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from .event import Event

TARGET = 1024
"""Bytes. If a row has more than 2 KB, PostgreSQL moves its widest columns out until this is left.
By default it stops at 2 KB, and both columns stay in the row."""


@receiver(post_migrate)
def keep_wide_columns_apart(using: str, **kwargs: Any) -> None:
    """Set the parameter of the table, unless it has a value already."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    table = Event._meta.db_table
    name = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        # A partitioned table has no storage, and so no parameters.
        cursor.execute(
            "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'r'"
            " AND NOT coalesce(reloptions::text LIKE '%%toast_tuple_target%%', false)",
            [name],
        )
        if cursor.fetchone():
            cursor.execute(f"ALTER TABLE {name} SET (toast_tuple_target = {TARGET})")
