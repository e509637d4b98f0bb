"""The preview of a replay: figures of what it would do. Nothing is written.

It reads from the database that the replay will write to, so that both see the same events.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from django.db.models import Count, Q

from ..models import Event, queue
from ..models.event_queryset import EventQuerySet
from ..models.run_queryset import ReceiverRunQuerySet
from ..receivers import connected
from .called import Called, EventKind, Named
from .criteria import Criteria, frozen, select, selects_records
from .past import runs
from .records import Records, count_by_receiver, count_records

MAX_EVENTS = 100_000
"""How many events are counted, the oldest ones."""


class Preview:
    """What a replay would do. The database counts each figure when it is first read.

    Args:
        criteria: which events.
        chosen: dotted paths of the receivers that the replay is for; None means all.
        only_failed: whether to call each only for events for which its last run was no success.
        only_newest: whether to call each only for the newest of these events of each record.
    """

    def __init__(
        self,
        criteria: Criteria,
        chosen: tuple[str, ...] | None = None,
        *,
        only_failed: bool = False,
        only_newest: bool = False,
    ) -> None:
        self.criteria = criteria
        self.chosen = chosen
        self.only_failed = only_failed
        self.only_newest = only_newest

    @property
    def names(self) -> list[Named]:
        """Return the events by name, sorted, with the receivers that are called for them."""
        return self._called.names

    @property
    def events(self) -> int:
        """Return how many events are selected, up to MAX_EVENTS."""
        return sum(named.events for named in self.names)

    @cached_property
    def is_cut(self) -> bool:
        """Return whether more than MAX_EVENTS events are selected."""
        return self._last_counted is not None

    def oldest(self, number: int) -> EventQuerySet:
        """Return the oldest of the selected events."""
        return self._selected.order_by("pk")[:number]

    @property
    def receivers(self) -> dict[str, int]:
        """Return for how many events each receiver would be called, by its dotted path.

        These are all receivers; ``calls`` has the chosen ones.
        """
        total = Counter[str]()
        for named in self.names:
            total.update(named.receivers)
        return dict(sorted(total.items()))

    @property
    def selectable(self) -> list[str]:
        """Return the dotted paths of the receivers that may be called for an event."""
        return sorted({*self.receivers, *self._called.undecided})

    @cached_property
    def failed(self) -> dict[str, int]:
        """Return for how many events each receiver would be called with ``only_failed``."""
        columns = ("receiver", "event__name", "event__change_set", "event__is_own")
        failed = Counter[str]()
        rows = self._failed_runs(Q()).order_by().values_list(*columns).annotate(Count("pk"))
        for path, *kind, count in rows:
            if EventKind(*kind) in self._called.kinds([path]):
                failed[path] += count
        return dict(sorted(failed.items()))

    @cached_property
    def calls(self) -> dict[str, int]:
        """Return for how many events each chosen receiver would be called, with all options."""
        if self.only_failed and self.only_newest:
            condition = self._runs_of(self.failed)
            counts = count_by_receiver(self._failed_runs(condition)) if self.failed else {}
        elif self.only_failed:
            counts = self.failed
        elif self.only_newest:
            counts = self._newest_by_receiver
        else:
            counts = self.receivers
        return {path: counts[path] for path in sorted(counts) if self._is_chosen(path)}

    @property
    def joining(self) -> list[str]:
        """Return the gathered receivers that would be called.

        A replay calls them for each event by itself.
        """
        gathered = {receiver.path for receiver in connected() if receiver.options.is_gathered}
        return sorted(gathered.intersection(self.calls))

    @property
    def called_events(self) -> int:
        """Return for how many of the events a chosen receiver would be called.

        It is counted without ``only_newest``, which leaves one event of each record and receiver.
        """
        return self._called_counts.events

    @property
    def called_records(self) -> int:
        """Return how many records these events have."""
        return self._called_counts.records

    @property
    def superseded_records(self) -> int:
        """Return how many of these records have a newer event than all of these events.

        With ``unsuperseded``, all events of these records would be left out.
        """
        return self._called_counts.superseded

    @cached_property
    def records(self) -> int:
        """Return how many records the selected events have."""
        return count_records(self._selected, newer_than=self._newer_than).records

    @cached_property
    def superseded(self) -> int:
        """Return how many of the selected events are superseded."""
        return self.events - self._selected.unsuperseded().count()

    @cached_property
    def _limited(self) -> Criteria:
        return self.criteria if self.criteria.limit is None else frozen(self.criteria)

    @cached_property
    def _all(self) -> EventQuerySet:
        """Return all selected events, those that are not counted included."""
        return select(self._limited)

    @cached_property
    def _last_counted(self) -> int | None:
        """Return the key of the last event that is counted, if more events are selected."""
        if self.criteria.ids or self.criteria.event_ids:
            return None
        first = queue.events().order_by("pk").values_list("pk", flat=True).first()
        up_to = self._limited.up_to
        if first is None or (up_to is not None and up_to - first < MAX_EVENTS):
            return None
        # In the order of the key, so that the database reads no more events than it passes over.
        keys = self._all.values_list("pk", flat=True)
        last_and_next = list(keys[MAX_EVENTS - 1 : MAX_EVENTS + 1])
        return last_and_next[0] if len(last_and_next) == 2 else None

    @cached_property
    def _counted(self) -> Criteria:
        """Return the criteria of the events that are counted."""
        if self._last_counted is None:
            return self._limited
        return replace(self._limited, up_to=self._last_counted)

    @cached_property
    def _selected(self) -> EventQuerySet:
        events = self._all.order_by()
        return events.filter(pk__lte=self._last_counted) if self.is_cut else events

    @cached_property
    def _called(self) -> Called:
        return Called(self._selected)

    @cached_property
    def _called_counts(self) -> Records:
        """Count the events that a chosen receiver would be called for, and their records."""
        kinds = self._called.kinds(self.chosen)
        condition = self._called.condition(kinds)
        events, newer_than = self._selected, self._newer_than
        if self.only_failed:
            newer_than = 0
            failed = self._failed_runs(self._runs_of(filter(self._is_chosen, self.failed)))
            events = events.filter(pk__in=failed.values("event"))
        elif condition is not None:
            newer_than = 0
            events = events.filter(condition)
        conditions: list[Q | None] = []
        if self.only_newest and not self.only_failed:
            conditions = [self._called.condition(kinds) for kinds in self._paths_by_kinds]
        return count_records(events, conditions, newer_than)

    @property
    def _newer_than(self) -> int:
        """Return the primary key after which an event can supersede a record's selected events.

        It is ``up_to`` if all events of a record up to there are selected, and otherwise 0.
        """
        return (self._counted.up_to or 0) if selects_records(self._counted) else 0

    @cached_property
    def _paths_by_kinds(self) -> dict[frozenset[EventKind], list[str]]:
        """Return the chosen receivers, by the kinds of events that they are called for."""
        paths: dict[frozenset[EventKind], list[str]] = {}
        for path in filter(self._is_chosen, self.receivers):
            paths.setdefault(self._called.kinds([path]), []).append(path)
        return paths

    @property
    def _newest_by_receiver(self) -> dict[str, int]:
        counts = zip(self._paths_by_kinds.values(), self._called_counts.newest, strict=True)
        return {path: count for paths, count in counts for path in paths}

    def _is_chosen(self, path: str) -> bool:
        return self.chosen is None or path in self.chosen

    def _failed_runs(self, condition: Q) -> ReceiverRunQuerySet:
        """Return the last runs of receivers, if they are no success and meet the condition."""
        selected = runs().filter(condition, event__in=self._selected.values("pk"))
        return selected.still_failed(self._selected.filter(status=Event.Status.HANDLED))

    def _runs_of(self, paths: Iterable[str]) -> Q:
        """Return the condition for runs of these receivers, for events that they are called for."""
        condition = Q(pk__in=())
        for path in paths:
            kinds = self._called.condition(self._called.kinds([path]), "event__")
            condition |= Q(receiver=path) if kinds is None else Q(receiver=path) & kinds
        return condition
