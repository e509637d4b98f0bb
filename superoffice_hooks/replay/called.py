"""The receivers that a replay would call, judged once for each kind of event.

Filters depend on the event's name, its changed fields and whether it is our own. So one event of
each kind is judged. That can be wrong if a filter is a callable that depends on anything else.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from functools import cached_property
from typing import NamedTuple

from django.db.models import Count, Min, Q

from ..models import queue
from ..models.event_queryset import EventQuerySet
from ..receivers import calls_for, receivers_of


class EventKind(NamedTuple):
    """The values of an event that decide which receivers are called."""

    name: str
    change_set: int | None
    is_own: bool


class Named(NamedTuple):
    """The events of one name, and the receivers that would be called."""

    name: str
    events: int
    receivers: dict[str, int]
    """The number of events, by the dotted path of the receiver."""


class Called:
    """The kinds of the selected events, and the receivers that are called for each kind."""

    def __init__(self, events: EventQuerySet) -> None:
        kinds = events.order_by("name").values_list("name", "change_set", "is_own")
        counts = list(kinds.annotate(count=Count("*"), sample=Min("pk")))
        samples = queue.events().defer("body", "headers").in_bulk([pk for *_, pk in counts])
        self._counts = {EventKind(*kind): count for *kind, count, _ in counts}
        # An event may have been deleted meanwhile.
        self._receivers = {
            EventKind(*kind): frozenset(call.path for call in calls_for(samples[pk]))
            if pk in samples
            else frozenset()
            for *kind, _, pk in counts
        }

    @cached_property
    def names(self) -> list[Named]:
        """Return the events by name, sorted."""
        names: dict[str, Named] = {}
        for kind, count in self._counts.items():
            named = names.get(kind.name, Named(kind.name, 0, {}))
            receivers = Counter(named.receivers)
            for path in sorted(self._receivers[kind]):
                receivers[path] += count
            names[kind.name] = Named(kind.name, named.events + count, dict(receivers))
        return list(names.values())

    @property
    def undecided(self) -> list[str]:
        """Return the receivers whose filter is a callable: each event may differ."""
        return sorted(
            {
                receiver.path
                for named in self.names
                for receiver in receivers_of(named.name)
                if receiver.options.has_code
            }
        )

    def kinds(self, paths: Collection[str] | None = None) -> frozenset[EventKind]:
        """Return the kinds of events for which one of these receivers is called; None: any."""
        return frozenset(
            kind
            for kind, receivers in self._receivers.items()
            if (receivers if paths is None else receivers.intersection(paths))
        )

    def condition(self, kinds: Collection[EventKind], prefix: str = "") -> Q | None:
        """Return the condition for events of these kinds; None if they are all kinds.

        ``prefix`` is the look-up of the event, as ``event__`` for runs.
        """
        if len(kinds) == len(self._counts):
            return None
        names = {kind.name for kind in kinds}
        whole = names - {kind.name for kind in self._counts.keys() - set(kinds)}
        condition = Q(**{f"{prefix}name__in": sorted(whole)})
        change_sets = defaultdict[tuple[str, bool], set[int | None]](set)
        for name, change_set, is_own in kinds:
            if name not in whole:
                change_sets[name, is_own].add(change_set)
        for (name, is_own), keys in change_sets.items():
            known = Q(**{f"{prefix}change_set__in": sorted(key for key in keys if key is not None)})
            unknown = Q(**{f"{prefix}change_set": None}) if None in keys else Q()
            alike = Q(**{f"{prefix}name": name, f"{prefix}is_own": is_own})
            condition |= alike & (known | unknown)
        return condition
