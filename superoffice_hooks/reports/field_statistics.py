"""Field statistics: which fields change, how often, and which receivers are called for them.

A hundred thousand events share some hundred change sets. So the database counts the events of each
name and change set, from an index, and all figures are sums of these counts.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from django.db.models import Count

from .. import conf
from ..models import ChangeSet, Event
from ..receivers import connected, receivers_of
from ..wire import event_names


class FieldCount(NamedTuple):
    """How often one field changed."""

    entity: str
    name: str
    """In lower case, as in ChangedField."""
    times: int
    events: int
    """Events of the entity, including those whose changed fields are unknown."""


class NoiseCount(NamedTuple):
    """How many events of one entity changed nothing but noise."""

    entity: str
    times: int
    events: int
    """Events of the entity, including those whose changed fields are unknown."""


class Unheard(NamedTuple):
    """A field that changed in events of one name, and for which no receiver is called."""

    event_name: str
    name: str
    times: int


class Unseen(NamedTuple):
    """A name in a receiver's ``fields`` that no event of its signal has ever had."""

    receiver: str
    pattern: str
    """Of the signal: ``ticket.changed``."""
    name: str


class Group(NamedTuple):
    """Events of one name with one change set."""

    event_name: str
    names: frozenset[str]
    """The change set's fields, in lower case; empty means unknown."""
    times: int

    @property
    def entity(self) -> str:
        """Return the entity of the event name."""
        return event_names.split(self.event_name)[0]

    @property
    def is_noise(self) -> bool:
        """Return the same as ``Event.is_noise``."""
        if not self.names or event_names.split(self.event_name)[1] != "changed":
            return False
        noise = conf.noise_of(self.entity)
        return all(name in noise for name in self.names)


@dataclass(frozen=True)
class Counted:
    """The statistics of the events in a window, as ``count`` returns them."""

    groups: list[Group]
    seen: frozenset[tuple[str, str]]
    """(entity, name) of each field that has ever changed, in the window or not."""
    entity: str = ""
    """The only entity that was counted; empty for all of them."""

    @cached_property
    def events(self) -> Counter[str]:
        """Return the number of events of each entity."""
        events = Counter[str]()
        for group in self.groups:
            events[group.entity] += group.times
        return events

    def fields(self) -> list[FieldCount]:
        """Return how often each field changed: by entity, highest count first."""
        times = Counter[tuple[str, str]]()
        for group in self.groups:
            for name in group.names:
                times[group.entity, name] += group.times
        counts = [
            FieldCount(*field, count, self.events[field[0]]) for field, count in times.items()
        ]
        return sorted(counts, key=lambda count: (count.entity, -count.times, count.name))

    def noise(self) -> list[NoiseCount]:
        """Return how many events of each entity changed nothing but noise."""
        times = Counter[str]()
        for group in self.groups:
            times[group.entity] += group.times * group.is_noise
        return [NoiseCount(entity, times[entity], self.events[entity]) for entity in sorted(times)]

    def unheard(self) -> list[Unheard]:
        """Return changes for which no receiver is called: by event name, highest count first.

        A receiver whose ``fields`` is a callable may be called for any change.
        """
        times = Counter[tuple[str, str]]()
        for group in self.groups:
            for name in group.names - _heard(group):
                times[group.event_name, name] += group.times
        unheard = [Unheard(*pair, count) for pair, count in times.items()]
        return sorted(unheard, key=lambda count: (count.event_name, -count.times, count.name))

    def unseen(self) -> list[Unseen]:
        """Return names in receivers' ``fields`` that no event ever had; often they are misspelt."""
        return sorted(
            Unseen(receiver.path, receiver.pattern, name)
            for receiver in connected()
            if self._counts(receiver.entity)
            for name in receiver.options.names or ()
            if not self._was_seen(receiver.entity, name)
        )

    def _counts(self, entities: str) -> bool:
        return not self.entity or bool(event_names.pattern(entities).fullmatch(self.entity))

    def _was_seen(self, of: str, name: str) -> bool:
        entities, names = event_names.pattern(of), event_names.pattern(name)
        return any(entities.fullmatch(e) and names.fullmatch(n) for e, n in self.seen)


def count(
    since: datetime | None = None, until: datetime | None = None, entity: str = ""
) -> Counted:
    """Count the events received at ``since`` or later and before ``until``, perhaps of one entity.

    It takes two queries.
    """
    names = dict[int, set[str]]()
    seen = set[tuple[str, str]]()
    fields = ChangeSet.objects.values_list("pk", "fields__entity", "fields__name")
    for pk, of, name in fields.iterator():
        names.setdefault(pk, set()).add(name)
        seen.add((of, name))
    events = Event.objects.received_between(since, until).order_by()
    # Not Count("pk"): the index that has the rest need not have the key.
    counts = events.values_list("name", "change_set").annotate(times=Count("*"))
    groups = [Group(name, frozenset(names.get(pk, ())), times) for name, pk, times in counts]
    return Counted(
        [group for group in groups if entity in ("", group.entity)], frozenset(seen), entity
    )


def _heard(group: Group) -> set[str]:
    """Return those of the names for which some receiver is called."""
    noise = conf.noise_of(group.entity)
    receivers = receivers_of(group.event_name)
    return {name for name in group.names if any(r.options.may_want(name, noise) for r in receivers)}
