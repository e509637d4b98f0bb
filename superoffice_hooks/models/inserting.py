"""Insert a row with an INSERT that was composed before.

``Model.save()`` composes its INSERT anew for each row. For an event, that takes Django as long as
all else that storing it takes. So Django's compiler composes it for the first row, and the next
rows use the same text. If the compiler returns anything but one statement with one parameter for
each field, ``save()`` inserts each row. Checked with Django 5.2.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections, models, transaction
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import InsertQuery
from django.utils import timezone

from . import clock
from .clock import InSeconds
from .updating import Update, run

# By model, database, and the fields whose values are InSeconds. None: save() has to do it.
_statements: dict[tuple[type[models.Model], str, tuple[str, ...]], str | None] = {}

_PLAIN = (str, int, bool, type(None))
"""Drivers take these as they are. For JSON columns they do not, but ours have none of these."""


def insert(
    row: models.Model, using: str, before: Sequence[Update] = (), *, guarded: bool = False
) -> None:
    """Store a new row, in one statement.

    The value of a field may be ``InSeconds``; afterwards the attribute is that time by the clock of
    this machine.

    Args:
        row: the row.
        using: the alias of the database.
        before: what to run before it, in the same round trip where the driver can.
        guarded: whether an IntegrityError leaves a surrounding transaction usable.

    Raises:
        IntegrityError: the row, or one with its unique key, is stored already.
    """
    connection, model = connections[using], type(row)
    fields: list[Any] = [field for field in row._meta.concrete_fields if not field.primary_key]
    values = [field.pre_save(row, add=True) for field in fields]
    times = {
        field.attname: value
        for field, value in zip(fields, values, strict=True)
        if isinstance(value, InSeconds)
    }
    key = model, using, tuple(times)
    if key not in _statements:
        _statements[key] = _composed(row, fields, using)
    statement = _statements[key]
    # Receivers of these signals expect save().
    has_receivers = any(signal.has_listeners(model) for signal in (pre_save, post_save))
    is_inside = guarded and connection.in_atomic_block
    with transaction.atomic(using=using) if is_inside else nullcontext():
        if statement is None or has_receivers:
            run(connection, before)
            row.save(force_insert=True, using=using)
        else:
            of_times = iter(clock.parameters(times.values(), connection))
            parameters = [
                value
                if type(value) in _PLAIN
                else next(of_times)
                if isinstance(value, InSeconds)
                else field.get_db_prep_save(value, connection)
                for field, value in zip(fields, values, strict=True)
            ]
            row.pk = run(connection, before, (statement, parameters))
            row._state.adding = False
            row._state.db = using
    for name, value in times.items():
        setattr(row, name, timezone.now() + value.delta)


def savepoint(using: str) -> AbstractContextManager[None]:
    """Keep a surrounding transaction, if there is one, usable after an IntegrityError."""
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()


def _composed(row: models.Model, fields: list[Any], using: str) -> str | None:
    """Return the INSERT that Django's compiler makes for such a row; None if it is for save()."""
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
