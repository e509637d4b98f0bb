"""Updating rows by primary key with statements that Django's ORM does not compose.

Composing an UPDATE takes Django as long as the database takes to run it, and every event is updated
twice or three times. Databases differ in the clock alone.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from . import clock
from .clock import InSeconds


class SQL(str):
    """A value of a column as SQL."""

    __slots__ = ()


def update(
    model: type[models.Model],
    columns: Mapping[str, Any],
    keys: Collection[int],
    condition: str = "TRUE",
    values: Iterable[Any] = (),
) -> int:
    """Update rows and return how many.

    MariaDB assigns from left to right, and a later column sees the new value of an earlier one, so
    the order of ``columns`` matters where their values are SQL.

    Args:
        model: whose rows.
        columns: the new values by column: plain ones, ``InSeconds``, or ``SQL``.
        keys: the primary keys of the rows.
        condition: SQL that the rows must meet too.
        values: the parameters of the condition.
    """
    if not keys:
        return 0
    connection = connections[router.db_for_write(model)]
    assignments, parameters = [], list[Any]()
    for name, value in columns.items():
        if isinstance(value, SQL):
            assignments.append(f"{name} = {value}")
        elif isinstance(value, InSeconds):
            assignments.append(f"{name} = {clock.sql(connection)}")
            parameters.append(clock.parameter(connection, value.seconds))
        else:
            assignments.append(f"{name} = %s")
            is_time = isinstance(value, datetime)
            adapted = connection.ops.adapt_datetimefield_value(value) if is_time else value
            parameters.append(adapted)
    places = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table(model, connection)} SET {', '.join(assignments)}"  # noqa: S608  (our names)
            f" WHERE id IN ({places}) AND {condition}",
            [*parameters, *keys, *values],
        )
        return int(cursor.rowcount)


def table(model: type[models.Model], connection: BaseDatabaseWrapper) -> str:
    """Return the quoted name of a model's table."""
    return connection.ops.quote_name(model._meta.db_table)
