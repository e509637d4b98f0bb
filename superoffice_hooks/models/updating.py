"""Updating rows by primary key with statements that Django's ORM does not compose.

Composing an UPDATE takes Django as long as the database takes to run it, and every event is updated
twice or three times. Databases differ in the clock alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from . import clock
from .clock import InSeconds


class SQL(str):
    """A value of a column as SQL."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Update:
    """An UPDATE of some rows, to be run alone or together with other statements.

    MariaDB assigns from left to right, and a later column sees the new value of an earlier one, so
    the order of ``columns`` matters where their values are SQL.
    """

    model: type[models.Model]
    columns: Mapping[str, Any]
    """The new values by column: plain ones, ``InSeconds``, or ``SQL``."""
    keys: Collection[int]
    """The primary keys of the rows."""
    condition: str = "TRUE"
    """SQL that the rows must meet too."""
    values: Sequence[Any] = ()
    """The parameters of the condition."""
    rows: int = 0
    """How many rows were updated, once it has run."""

    def statement(self, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        """Return the SQL and its parameters."""
        assignments, parameters = [], list[Any]()
        for name, value in self.columns.items():
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
        places = ", ".join(["%s"] * len(self.keys))
        sql = (
            f"UPDATE {table(self.model, connection)} SET {', '.join(assignments)}"  # noqa: S608
            f" WHERE id IN ({places}) AND {self.condition}"
        )
        return sql, [*parameters, *self.keys, *self.values]

    def settle(self) -> None:
        """Do what is to be done once it has run."""


def update(
    model: type[models.Model],
    columns: Mapping[str, Any],
    keys: Collection[int],
    condition: str = "TRUE",
    values: Sequence[Any] = (),
) -> int:
    """Update rows and return how many; see ``Update``."""
    if not keys:
        return 0
    this = Update(model, columns, keys, condition, values)
    run(connections[router.db_for_write(model)], [this])
    return this.rows


def run(
    connection: BaseDatabaseWrapper,
    updates: Sequence[Update],
    insert: tuple[str, list[Any]] | None = None,
) -> int | None:
    """Run updates and then an INSERT, in one round trip where the driver can.

    Returns the primary key of the row that was inserted.
    """
    statements = [update.statement(connection) for update in updates]
    if insert is not None:
        statements.append(insert)
    key = None
    with connection.cursor() as cursor:
        for number, rows in enumerate(_executed(connection, cursor, statements)):
            if number < len(updates):
                updates[number].rows = rows
        if insert is not None:
            returns = connection.features.can_return_columns_from_insert
            key = cursor.fetchone()[0] if returns else cursor.lastrowid
    for update in updates:
        update.settle()
    return key


def _executed(
    connection: BaseDatabaseWrapper, cursor: Any, statements: Sequence[tuple[str, list[Any]]]
) -> Iterator[int]:
    """Execute statements, and yield how many rows each affected while its result is current."""
    if len(statements) > 1 and _takes_several(connection):
        sql = "; ".join(text for text, _ in statements)
        cursor.execute(sql, [value for _, values in statements for value in values])
        yield cursor.rowcount
        for _ in statements[1:]:
            cursor.nextset()
            yield cursor.rowcount
    else:
        for text, values in statements:
            cursor.execute(text, values)
            yield cursor.rowcount


def _takes_several(connection: BaseDatabaseWrapper) -> bool:
    """Whether the driver takes several statements in one text, and has the result of each.

    psycopg 3 does, unless the server binds the parameters.
    """
    if connection.vendor != "postgresql":
        return False
    options = connection.settings_dict["OPTIONS"]
    return not options.get("server_side_binding") and hasattr(connection.connection, "pgconn")


def table(model: type[models.Model], connection: BaseDatabaseWrapper) -> str:
    """Return the quoted name of a model's table."""
    return connection.ops.quote_name(model._meta.db_table)
