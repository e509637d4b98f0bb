"""Inserting a row with a statement that is known.

``Model.save()`` composes its INSERT anew for each row, and for an event that takes Django as long
as all else that storing it takes. So Django's compiler composes it for the first row, and the text
serves for the rows that follow. Checked with Django 5.2; where the compiler gives
anything but one statement with one parameter for each field, ``save()`` inserts each row.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import InsertQuery

from . import clock
from .updating import Update, run

# By model, database, and the fields whose values are expressions. None: save() has to do it.
_statements: dict[tuple[type[models.Model], str, tuple[str, ...]], str | None] = {}

_PLAIN = (str, int, bool, type(None))
"""Drivers take these as they are, but for JSON columns, in which we have no bare ones."""


def insert(row: models.Model, using: str, before: Sequence[Update] = ()) -> None:
    """Store a new row, in one statement.

    The value of a field may be ``clock.InSeconds``, which stays in the attribute. ``before`` are
    run before it, in the same round trip where the driver can.

    Raises:
        IntegrityError: the row, or one with its unique key, is there.
    """
    # Listeners of these signals hear of save() alone.
    if any(signal.has_listeners(type(row)) for signal in (pre_save, post_save)):
        statement = None
    else:
        statement = _statement(row, using)
    if statement is None:
        if before:
            run(connections[using], before)
        row.save(force_insert=True, using=using)
    else:
        _execute(statement, row, using, before)


def savepoint(using: str) -> AbstractContextManager[None]:
    """What keeps a surrounding transaction, if there is one, usable after an IntegrityError."""
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()


def _statement(row: models.Model, using: str) -> str | None:
    """Return the INSERT of such a row, remembered or composed; None if it is for save()."""
    expressions = tuple(
        field.attname for field in _fields(row) if _is_expression(getattr(row, field.attname))
    )
    key = (type(row), using, expressions)
    if key not in _statements:
        _statements[key] = _composed(row, using)
    return _statements[key]


def _composed(row: models.Model, using: str) -> str | None:
    """Return the text that Django's compiler makes for such a row."""
    fields = _fields(row)
    if list(row._meta.db_returning_fields) != [row._meta.pk]:
        return None
    query = InsertQuery(type(row))
    query.insert_values(fields, [row])
    compiler: Any = query.get_compiler(using=using)
    if connections[using].features.can_return_columns_from_insert:
        compiler.returning_fields = row._meta.db_returning_fields
    statements = compiler.as_sql()
    if len(statements) != 1:
        return None
    text, parameters = statements[0]
    fits = text.count("%s") == text.count("%") == len(parameters) == len(fields)
    return str(text) if fits else None


def _execute(statement: str, row: models.Model, using: str, before: Sequence[Update]) -> None:
    """Run the statement that ``save`` would run, with this row's values, and note its key."""
    connection = connections[using]
    values = [_parameter(row, field, connection) for field in _fields(row)]
    row.pk = run(connection, before, (statement, values))
    row._state.adding = False
    row._state.db = using


def _fields(row: models.Model) -> list[Any]:
    return [field for field in row._meta.concrete_fields if not field.primary_key]


def _is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


def _parameter(row: models.Model, field: Any, connection: BaseDatabaseWrapper) -> Any:
    value = field.pre_save(row, add=True)
    if type(value) in _PLAIN:
        return value
    if isinstance(value, clock.InSeconds):
        return clock.parameter(connection, value.seconds)
    return field.get_db_prep_save(value, connection)
