"""What is still failed, by cause.

An event is still failed in a group if the last run of the group's receiver is in it, and nobody has
handled the event. Index: superoffice_run_group, which has these runs and no table beside it.
"""

from collections.abc import Collection
from typing import Any, NamedTuple, Protocol

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from ..models import Event, FailureGroup, ReceiverRun, queue
from ..models.run_queryset import ReceiverRunQuerySet


class CountedGroup(Protocol):
    """A group as ``counted`` returns it."""

    pk: Any
    still_failed: int


class OpenGroup(NamedTuple):
    """A group, and how many events are still failed in it, those to be retried included."""

    group: FailureGroup
    events: int
    shared: int
    """How many of them are still failed in another of the groups, too."""
    unfinished: int
    """How many of them are to be retried."""


def open_groups(limit: int = 20, events: QuerySet[Event] | None = None) -> list[OpenGroup]:
    """Return the open groups in which events are still failed, the largest first, in two queries.

    Of more than ``limit`` groups, those that failed last. ``events`` are those that count; None
    means all.
    """
    rows = FailureGroup.objects.using(queue.using()).opened()
    groups = list(with_failures(rows, events).order_by("-last_seen", "-pk")[:limit])
    counts = _counts([group.pk for group in groups], events)
    counted = [OpenGroup(group, *counts.get(group.pk, (0, 0, 0))) for group in groups]
    return sorted(counted, key=lambda row: -row.events)


def _counts(
    groups: Collection[int], events: QuerySet[Event] | None
) -> dict[int, tuple[int, int, int]]:
    """Return for each group the numbers of an ``OpenGroup``."""
    using = queue.using()
    runs = _counting(using, events).filter(group__in=groups).order_by()
    others = _counting(using, None).filter(event=OuterRef("event"), group__in=groups)
    shared = Exists(others.exclude(group=OuterRef("group")))
    unfinished = Q(event__status__in=(Event.Status.PENDING, Event.Status.WAITING))
    rows = runs.values_list("group").annotate(
        events=Count("event", distinct=True),
        shared=Count("event", distinct=True, filter=shared),
        unfinished=Count("event", distinct=True, filter=unfinished),
    )
    return {group: (count, also, again) for group, count, also, again in rows}


def still_failed(groups: Collection[int], events: QuerySet[Event] | None = None) -> dict[int, int]:
    """Return how many events are still failed in each of some groups, by primary key; one query."""
    runs = _counting(queue.using(), events).filter(group__in=groups)
    rows = runs.order_by().values_list("group").annotate(Count("event", distinct=True))
    return {**dict.fromkeys(groups, 0), **dict(rows)}


def counted(
    groups: QuerySet[FailureGroup], events: QuerySet[Event] | None = None
) -> QuerySet[FailureGroup]:
    """Return the groups with the number of events that are still failed as ``still_failed``."""
    runs = _counting(groups.db, events).filter(group=OuterRef("pk")).order_by().values("group_id")
    count = Subquery(runs.annotate(count=Count("event", distinct=True)).values("count"))
    return groups.annotate(still_failed=Coalesce(count, Value(0), output_field=IntegerField()))


def known_by(groups: QuerySet[FailureGroup], events: QuerySet[Event]) -> QuerySet[FailureGroup]:
    """Return those of the groups in which one of these events has failed, at any time."""
    runs = _runs(groups.db, events).filter(group=OuterRef("pk"))
    return groups.filter(Exists(runs))


def with_failures(
    groups: QuerySet[FailureGroup], events: QuerySet[Event] | None = None
) -> QuerySet[FailureGroup]:
    """Return those of the groups in which an event is still failed."""
    runs = _counting(groups.db, events).filter(group=OuterRef("pk"))
    # A subquery per group, in the order of the index: a planner would turn Exists into a join and
    # read all runs, or would look through the table for the first one.
    first = Subquery(runs.order_by("group_id", "counts_in_group", "event_id").values("pk")[:1])
    return groups.alias(still_failed=first).filter(still_failed__isnull=False)


def example(group: FailureGroup, events: QuerySet[Event] | None = None) -> ReceiverRun | None:
    """Return the newest run whose event is still failed in a group; else the newest that was."""
    runs = _counting(queue.using(), events).filter(group=group)
    return _newest(runs) or _newest(_runs(queue.using(), events).filter(group=group))


def _newest(runs: ReceiverRunQuerySet) -> ReceiverRun | None:
    shown = runs.select_related("event", "replay").defer("event__payload", "event__body")
    # In the order of the index.
    return shown.order_by("-group_id", "-counts_in_group", "-event_id").first()


def _counting(using: str, events: QuerySet[Event] | None) -> ReceiverRunQuerySet:
    return _runs(using, events).filter(counts_in_group=True)


def _runs(using: str, events: QuerySet[Event] | None) -> ReceiverRunQuerySet:
    runs = ReceiverRun.objects.using(using)
    return runs if events is None else runs.filter(event__in=events.order_by().values("pk"))
