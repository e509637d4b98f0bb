"""Update rows by primary key, with statements that Django does not compose.

Django takes as long to compose an UPDATE as the database takes to run it, and each event is updated
two or three times. The statements differ between databases only in the clock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

from . import clock
from .clock import InSeconds


class SQL(str):
    """SQL for the value of a column."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Update:
    """An UPDATE of some rows, to be run alone or together with other statements.

    MariaDB assigns from left to right, and the SQL of a later column sees the new value of an
    earlier one. So the order of ``columns`` matters if a value is SQL.
    """

    model: type[models.Model]
    columns: Mapping[str, Any]
    """The new values by column: plain ones, ``InSeconds``, or ``SQL``."""
    keys: Collection[int]
    """The primary keys of the rows."""
    condition: str = "TRUE"
    """A condition in SQL that the rows must meet, too."""
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
                parameters += clock.parameters([value], connection)
            else:
                assignments.append(f"{name} = %s")
                is_time = isinstance(value, datetime)
                adapted = connection.ops.adapt_datetimefield_value(value) if is_time else value
                parameters.append(adapted)
        table = connection.ops.quote_name(self.model._meta.db_table)
        places, keys = _places(self.keys)
        sql = (
            f"UPDATE {table} SET {', '.join(assignments)}"  # noqa: S608
            f" WHERE id IN ({places}) AND {self.condition}"
        )
        return sql, [*parameters, *keys, *self.values]

    def settle(self) -> None:
        """Do nothing; called once it has run."""


class Deletion(Update):
    """A DELETE of rows, to be run together with updates."""

    __slots__ = ()

    def statement(self, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        """Return the SQL and its parameters."""
        table = connection.ops.quote_name(self.model._meta.db_table)
        places, keys = _places(self.keys)
        sql = f"DELETE FROM {table} WHERE id IN ({places}) AND {self.condition}"  # noqa: S608
        return sql, [*keys, *self.values]


def _places(keys: Collection[int]) -> tuple[str, Collection[int]]:
    """Return SQL for the keys, and its parameters. Drivers are slow with many parameters."""
    if len(keys) == 1:
        return "%s", keys
    return _listed(keys), ()


def _listed(keys: Collection[int]) -> str:
    return ", ".join([f"{key:d}" for key in keys])


def among(keys: Collection[int]) -> Any:
    """Return keys for a look-up with ``in``: as SQL without parameters, unless there are none."""
    return RawSQL(_listed(keys), ()) if keys else keys  # noqa: S611  (numbers)


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

    Return the primary key of the row that was inserted, if any.
    """
    statements = [update.statement(connection) for update in updates]
    if not statements and insert is None:
        return None
    if insert is not None:
        statements.append(insert)
    key, counts = None, []
    with connection.cursor() as cursor:
        if len(statements) > 1 and _takes_several(connection):
            sql = "; ".join(text for text, _ in statements)
            cursor.execute(sql, [value for _, values in statements for value in values])
            counts.append(cursor.rowcount)
            for _ in statements[1:]:
                cursor.nextset()
                counts.append(cursor.rowcount)
        else:
            for text, values in statements:
                cursor.execute(text, values)
                counts.append(cursor.rowcount)
        if insert is not None:
            returns = connection.features.can_return_columns_from_insert
            key = cursor.fetchone()[0] if returns else cursor.lastrowid
    # The last count is that of the INSERT, if there is one.
    for update, rows in zip(updates, counts, strict=False):
        update.rows = rows
        update.settle()
    return key


def _takes_several(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the driver takes several statements in one text, and returns each result.

    psycopg 3 does, unless the server binds the parameters.
    """
    if connection.vendor != "postgresql":
        return False
    options = connection.settings_dict["OPTIONS"]
    return not options.get("server_side_binding") and hasattr(connection.connection, "pgconn")


def take_write_lock(model: type[models.Model], connection: BaseDatabaseWrapper) -> None:
    """Take the write lock of an SQLite database, with an UPDATE of no row.

    SQLite waits for this lock only if the transaction begins with a write.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET id = id WHERE id = -1")  # noqa: S608
