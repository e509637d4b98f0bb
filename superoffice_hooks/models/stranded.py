"""Stranded events: they wait for gatherings that do not exist any more.

An event and its gathering are written in one transaction. So this happens only if somebody deletes
gatherings with SQL, empties a table, or restores a part of a backup.
"""

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q

from . import members, queue
from .event import Event
from .run import ReceiverRun
from .transactions import in_own_transaction
from .updating import among

Place = tuple[datetime, int]
"""The time at which an event was received, and its primary key."""

_REASON = "Its gathering is gone, so the event is dispatched again."


def look(after: Place | None, limit: int) -> tuple[list[int], Place | None]:
    """Look at up to ``limit`` waiting events after a place, the longest waiting first.

    Return the primary keys of those that are stranded, and the place of the last event; or None
    instead of the place if there are no more.
    """
    waiting = queue.events().filter(status=Event.Status.WAITING).order_by("received_at", "pk")
    if after is not None:
        received_at, key = after
        later = Q(pk__gt=key) | Q(received_at__gt=received_at)
        waiting = waiting.filter(later, received_at__gte=received_at)
    places = list(waiting.values_list("received_at", "pk")[:limit])
    return _stranded([key for _, key in places]), places[-1] if len(places) == limit else None


def bring_back(events: Collection[int]) -> int:
    """Put stranded events, by primary key, back into the queue; return how many still were so.

    Receivers that have succeeded are not called again. The others are called, or the event joins
    again for them.
    """
    return in_own_transaction(queue.using(), lambda: _bring_back(events))


def _bring_back(events: Collection[int]) -> int:
    states = members.lock(events)
    waiting = [key for key, (status, _) in states.items() if status == Event.Status.WAITING]
    stranded = _stranded(waiting)
    runs = ReceiverRun.objects.using(queue.using()).filter(event__in=stranded)
    runs.filter(outcome=ReceiverRun.Outcome.JOINED).update(
        outcome=ReceiverRun.Outcome.POSTPONED,
        error=_REASON,
        succeeded_in=None,
        with_event=F("event_id"),
    )
    runs.exclude(gathering=None).update(gathering=None)
    members.retry({key: states[key] for key in stranded}, 0)
    return len(stranded)


def _stranded(events: Collection[int]) -> list[int]:
    """Return those of these waiting events that have joined no gathering in the queue."""
    if not events:
        return []
    runs = ReceiverRun.objects.using(queue.using()).filter(event__in=among(events))
    awaited = runs.filter(gathering__next_attempt_at__isnull=False)
    return sorted(set(events) - set(awaited.values_list("event_id", flat=True)))
