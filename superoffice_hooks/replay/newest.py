"""Choose the newest event of each record, for each receiver of a replay.

It is the newest of those events of the replay that the receiver would be called for. The choice is
not stored, because each process that carries the replay on makes the same one. Later events are no
part of the replay. An event that the replay has tried stays a part of it, even if it does not meet
the criteria any more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from ..models import Event, Replay, queue
from ..models.event_queryset import EventQuerySet
from ..receivers import calls_for
from .past import Past, runs

Record = tuple[str, str, int]
"""A tenant, an entity and a primary key."""

_COLUMNS = ("occurred_at", "received_at", "tenant", "entity", "primary_key")


class _Candidate(NamedTuple):
    happened_at: datetime
    received_at: datetime
    pk: int
    record: Record


class Newest:
    """Chooses the newest events of a replay.

    Args:
        planned: the replay.
        selected: the events that meet its criteria.
        max_records: for how many records the choices are remembered.
        keys_at_once: how many events are looked up in one query.
        events_at_once: how many events are read and judged together.
    """

    def __init__(
        self,
        planned: Replay,
        selected: EventQuerySet,
        *,
        max_records: int = 10_000,
        keys_at_once: int = 1000,
        events_at_once: int = 100,
    ) -> None:
        self._planned = planned
        self._selected = selected
        self._max_records = max_records
        self._keys_at_once = keys_at_once
        self._events_at_once = events_at_once
        self._chosen = defaultdict[Record, dict[str, int]](dict)

    def choose(self, events: Iterable[Event], past: Past) -> dict[int, set[str]]:
        """Return, by primary key of the event, the receivers for which it is the newest one.

        An event without a record is the newest one for each receiver. ``past`` has the runs of the
        events.
        """
        if len(self._chosen) > self._max_records:
            self._chosen.clear()
        paths = {event: _called(event, past) for event in events}
        left = defaultdict[Record, set[str]](set)
        for event, called in paths.items():
            if record := _record(event):
                left[record] |= called - self._chosen[record].keys()
        self._find(left, {event.pk for event in paths})
        return {
            event.pk: {path for path in called if self._is_chosen(event, path)}
            for event, called in paths.items()
        }

    def _is_chosen(self, event: Event, path: str) -> bool:
        record = _record(event)
        return record is None or self._chosen[record].get(path) == event.pk

    def _find(self, left: Mapping[Record, set[str]], own: set[int]) -> None:
        """Find the newest event for the receivers that are left of each record."""
        records = {record for record in left if left[record]}
        candidates = iter(sorted(self._candidates(records, own), reverse=True))
        wanted = (candidate for candidate in candidates if left[candidate.record])
        while chunk := list(islice(wanted, self._events_at_once)):
            keys = [candidate.pk for candidate in chunk]
            events = queue.events().defer("body", "headers").in_bulk(keys)
            past = Past(self._planned, keys)
            for key, record in ((one.pk, one.record) for one in chunk if one.pk in events):
                if left[record]:
                    for path in _called(events[key], past) & left[record]:
                        self._chosen[record][path] = key
                        left[record].remove(path)

    def _candidates(self, records: set[Record], own: set[int]) -> Iterator[_Candidate]:
        """Yield the events of some records that are a part of the replay."""
        numbers = {number for _, _, number in records}
        events = queue.events().filter(primary_key__in=numbers, pk__lte=self._planned.up_to)
        known = [
            _Candidate(event.happened_at, event.received_at, event.pk, record)
            for event in events.only(*_COLUMNS)
            if (record := _record(event)) in records
        ]
        for start in range(0, len(known), self._keys_at_once):
            chunk = known[start : start + self._keys_at_once]
            keys = [candidate.pk for candidate in chunk]
            parts = own | set(self._selected.filter(pk__in=keys).values_list("pk", flat=True))
            tried = runs().filter(event__in=keys, replay=self._planned)
            parts |= set(tried.values_list("event_id", flat=True))
            yield from (candidate for candidate in chunk if candidate.pk in parts)


def _called(event: Event, past: Past) -> set[str]:
    """Return the dotted paths of the receivers that the replay would call for an event."""
    try:
        receivers = calls_for(event)
    except Exception:
        # It fails again, and is counted as failed, when the batch calls its receivers.
        return set()
    return {receiver.path for receiver in receivers if past.wants(receiver.path, event.pk)}


def _record(event: Event) -> Record | None:
    number = event.primary_key
    return None if number is None else (event.tenant, event.entity, number)
