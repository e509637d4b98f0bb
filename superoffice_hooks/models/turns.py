"""Turns: with ORDERED, the events of one record are dispatched in the order in which they occurred.

Claiming does not know the order. If the record of a claimed event has an earlier unfinished event,
the claimed one is parked: it is due again after some seconds. The process that finishes an event
makes the next events of its record due.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import takewhile

from .. import conf
from . import queue
from .clock import NOW, InSeconds
from .event import Event
from .event_queryset import EventQuerySet
from .updating import update

PARKED_SECONDS = 10.0

_NEXT = 20
"""How many events of a record are made due at once."""


def sequences_of(claimed: list[Event]) -> list[list[Event]]:
    """Return the claimed events whose turn has come, and park the others.

    The events of a sequence are dispatched one after the other, each when the one before is
    finished. Without ORDERED, each event is a sequence of its own.
    """
    if not conf.current().ORDERED:
        return [[event] for event in claimed]
    of_records = defaultdict[tuple[str, str, int], list[Event]](list)
    sequences: list[list[Event]] = []
    for event in claimed:
        if event.primary_key is None:
            sequences.append([event])
        else:
            of_records[event.tenant, event.entity, event.primary_key].append(event)
    sequences += [list(_first(same)) for same in of_records.values()]
    return [sequence for sequence in sequences if sequence]


def park(events: list[Event]) -> None:
    """End the claims on events whose turn has not come; they are due after some seconds."""
    columns = {"next_attempt_at": InSeconds(PARKED_SECONDS), "claim": None}
    update(Event, columns, [e.pk for e in events], "claim = %s", [events[0].claim])


def pass_on(sequence: list[Event]) -> list[int]:
    """Remove the first event, which was tried; park the others if it has to be retried.

    After the last event of a sequence, make the next events of its record due; return their primary
    keys.
    """
    event = sequence.pop(0)
    if sequence and event.is_in_queue:
        park(sequence)
        sequence.clear()
    if sequence or event.primary_key is None or not conf.current().ORDERED:
        return []
    following = _of_record(event).values_list("pk", "claim", "attempts")[:_NEXT]
    free = takewhile(lambda row: row[1] is None and not row[2], following)
    keys = [key for key, *_ in free]
    parked = "claim IS NULL AND attempts = 0 AND next_attempt_at IS NOT NULL"
    update(Event, {"next_attempt_at": NOW}, keys, parked)
    return keys


def _first(same: list[Event]) -> Iterator[Event]:
    """Yield the claimed events before which none of their record is unfinished; park the rest."""
    claimed = {event.pk: event for event in same}
    order = list(_of_record(same[0]).values_list("pk", flat=True)[: len(same)])
    for key in takewhile(claimed.__contains__, order):
        yield claimed.pop(key)
    if claimed:
        park(list(claimed.values()))
        # Those that are due and not claimed, too: or each look would claim some and park them.
        due = queue.events().same_record(same[0]).due().filter(claim=None, attempts=0)
        due.exclude(pk=order[0]).order_by().update(next_attempt_at=InSeconds(PARKED_SECONDS))


def _of_record(event: Event) -> EventQuerySet:
    """Return the unfinished events of the same record, in the order in which they occurred."""
    return queue.events().same_record(event).unfinished().newest_first().reverse()
