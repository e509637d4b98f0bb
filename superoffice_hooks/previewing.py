"""Previewing: what a replay would do, in figures, before anybody plans it. Nothing is written.

It reads from the database to which the replay will write, so that both see the same events.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.db import router
from django.db.models import Count, Min

from .models import ReceiverRun, queue
from .models.event import EventQuerySet
from .selecting import Criteria, frozen, select
from .signals import calls_for


class Named(NamedTuple):
    """The events of one name, and who would be called for how many of them."""

    name: str
    events: int
    receivers: dict[str, int]
    """The number of events, by the dotted path of the receiver."""


@dataclass(frozen=True)
class Preview:
    """What a replay of some events would do. The database counts, each figure when it is asked."""

    criteria: Criteria

    @cached_property
    def names(self) -> list[Named]:
        """The events by name; the names in their order."""
        return called(self._selected)

    @property
    def events(self) -> int:
        """How many events would be replayed."""
        return sum(named.events for named in self.names)

    @property
    def receivers(self) -> dict[str, int]:
        """For how many events each receiver would be called, by its dotted path."""
        total = Counter[str]()
        for named in self.names:
            total.update(named.receivers)
        return dict(sorted(total.items()))

    @cached_property
    def records(self) -> int:
        """How many records the events are of."""
        events = self._selected.exclude(primary_key=None)
        return events.values("tenant", "entity", "primary_key").distinct().count()

    @cached_property
    def superseded(self) -> int:
        """After how many of the events a newer one of the same record has come in."""
        return self.events - self._selected.unsuperseded().count()

    @cached_property
    def failed(self) -> dict[str, int]:
        """For how many events each receiver would be called with ``only_failed``."""
        runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun))
        runs = runs.filter(event__in=self._selected.values("pk")).still_failed()
        counts = runs.order_by().values_list("event__name", "receiver").annotate(Count("pk"))
        connected = {named.name: named.receivers for named in self.names}
        failed = Counter[str]()
        for name, path, count in counts:
            if path in connected.get(name, ()):
                failed[path] += count
        return dict(sorted(failed.items()))

    @cached_property
    def _selected(self) -> EventQuerySet:
        limited = self.criteria.limit is not None
        return select(frozen(self.criteria) if limited else self.criteria).order_by()


def called(events: EventQuerySet) -> list[Named]:
    """Whom a replay of these events would call.

    A filter looks at the event's name, its changed fields and whose doing it was, so it is asked
    about one event of each kind. What a callable looks at besides may make the figures wrong.
    """
    kinds = events.order_by("name").values_list("name", "change_set", "is_own")
    counts = list(kinds.annotate(count=Count("*"), sample=Min("pk")))
    samples = queue.events().defer("body", "headers").in_bulk([pk for *_, pk in counts])
    names: dict[str, Named] = {}
    for name, _, _, count, pk in counts:
        named = names.get(name, Named(name, 0, {}))
        receivers = Counter(named.receivers)
        # An event may have been deleted meanwhile.
        for call in calls_for(samples[pk]) if pk in samples else ():
            receivers[call.receiver.path] += count
        names[name] = Named(name, named.events + count, dict(receivers))
    return list(names.values())
