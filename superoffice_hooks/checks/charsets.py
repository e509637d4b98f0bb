"""Columns of MySQL and MariaDB that cannot hold every character."""

from collections.abc import Iterator, Sequence

from django.apps import apps
from django.core import checks
from django.db import connections, router

from ..models import Event

_NARROW = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND character_set_name <> 'utf8mb4'
    ORDER BY table_name, ordinal_position
"""


def columns(aliases: Sequence[str]) -> Iterator[checks.CheckMessage]:
    """Columns of ours whose character set is not utf8mb4, in the databases that have them."""
    for alias in aliases:
        if connections[alias].vendor == "mysql" and router.allow_migrate_model(alias, Event):
            yield from _of(alias)


def _of(alias: str) -> Iterator[checks.CheckMessage]:
    ours = {
        model._meta.db_table for model in apps.get_app_config(Event._meta.app_label).get_models()
    }
    with connections[alias].cursor() as cursor:
        cursor.execute(_NARROW)
        narrow = [f"{table}.{column}" for table, column in cursor.fetchall() if table in ours]
    if narrow:
        yield checks.Warning(
            f"In the database {alias!r}, {', '.join(narrow)} cannot hold every character, as their"
            " character set is not utf8mb4. A delivery with an emoji in the name of its webhook"
            " makes no event, then.",
            hint="ALTER TABLE … CONVERT TO changes the collations of all columns, so change these"
            " alone: ALTER TABLE … MODIFY …, with CHARACTER SET utf8mb4. Give the database"
            " CHARACTER SET utf8mb4 before you migrate, and new tables have it.",
            id="superoffice_hooks.W008",
        )
