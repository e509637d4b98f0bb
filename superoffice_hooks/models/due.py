"""Due events that are to join gatherings: they are read without payloads, and not claimed.

The process that lets such an event join calls no receiver for it. So it needs no claim: the event
is locked until the transaction ends.
"""

from typing import Any, NamedTuple

from django.db import connections
from django.db.models.fields.json import KeyTextTransform

from . import queue, updating
from .event import Event


class Due(NamedTuple):
    """A due event that is locked."""

    pk: int
    name: str
    entity: str
    action: str
    tenant: str
    primary_key: int | None
    is_own: bool
    change_set: int | None
    attempts: int
    deaths: int
    alone: bool
    begun_at: Any
    due_at: Any
    changes: str | None

    @property
    def kind(self) -> tuple[object, ...]:
        """Return the values that decide which receivers are called, if no filter is a callable."""
        return self.name, self.entity, self.action, self.is_own, self.change_set, self.changes


_COLUMNS = [{"due_at": "next_attempt_at"}.get(name, name) for name in Due._fields[:-1]]


def lock_due(model: type[Event], limit: int, *, low: Any = None) -> list[Due]:
    """Lock up to ``limit`` due events, the longest due first, inside a transaction.

    Events that another process has locked are skipped where the database can.

    Args:
        model: Event.
        limit: the maximum number of events.
        low: only events that are due at this time or later; None for any.
    """
    connection = connections[queue.using()]
    due = queue.due(model)
    if low is not None:
        due = due.filter(next_attempt_at__gte=low)
    if connection.vendor == "sqlite":
        updating.take_write_lock(model, connection)
    due = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    changes = KeyTextTransform("Changes", "payload")
    return [Due._make(row) for row in due.values_list(*_COLUMNS, changes)[:limit]]
