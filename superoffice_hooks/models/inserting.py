"""Inserting a row with a statement that is known.

``Model.save()`` composes its INSERT anew for each row, and for an event that takes Django as long
as all else that storing it takes. So Django does that for the first row, and the text of its
statement serves for the rows that follow.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections, models, transaction
from django.db.models.signals import post_save, pre_save

from .clock import InSeconds

# By model and database.
_statements: dict[tuple[type[models.Model], str], str] = {}

_PLAIN = (str, int, bool, type(None))
"""Drivers take these as they are, but for JSON columns, in which we have no bare ones."""


def insert(row: models.Model, using: str) -> None:
    """Save a new row, in one statement.

    Raises:
        IntegrityError: the row, or one with its unique key, is there.
    """
    model = type(row)
    moving = any(isinstance(value, InSeconds) for value in row.__dict__.values())
    statement = None if moving else _statements.get((model, using))
    # Whoever listens is told by save() alone.
    if moving:
        row.save(force_insert=True, using=using)
        return
    if statement is None or any(signal.has_listeners(model) for signal in (pre_save, post_save)):
        with connections[using].execute_wrapper(_remembering(model, using)):
            row.save(force_insert=True, using=using)
    else:
        _execute(statement, row, using)


def savepoint(using: str) -> AbstractContextManager[None]:
    """What keeps a surrounding transaction, if there is one, usable after an IntegrityError."""
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()


def _execute(statement: str, row: models.Model, using: str) -> None:
    """Run the statement that ``save`` would run, with this row's values, and note its key."""
    connection = connections[using]
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    values = [field.pre_save(row, add=True) for field in fields]
    for place, value in enumerate(values):
        if type(value) not in _PLAIN:
            values[place] = fields[place].get_db_prep_save(value, connection)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        returns = connection.features.can_return_columns_from_insert
        row.pk = cursor.fetchone()[0] if returns else cursor.lastrowid
    row._state.adding = False
    row._state.db = using


def _remembering(model: type[models.Model], using: str) -> Callable[..., Any]:
    """Keeps the text of the INSERT of this model that passes."""
    start = f"INSERT INTO {connections[using].ops.quote_name(model._meta.db_table)} "

    def remember(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(start):
            _statements[model, using] = sql
        return result

    return remember
