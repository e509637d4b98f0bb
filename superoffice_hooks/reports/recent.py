"""Recent figures: what came in and changed in a window.

``events`` restricts what is counted; None means all events.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour

from .. import conf
from ..models import ChangeSet, Event, Rejection
from ..models.event_queryset import EventQuerySet
from .windows import Window

MAX_LISTS = 500
"""The number of lists of changed fields that are counted, those with the highest counts."""
MAX_REJECTIONS = 2000
"""The number of rejections that are counted, the newest ones."""


class Hour(NamedTuple):
    """The events received in one hour, or in some."""

    start: datetime
    events: dict[str, int]
    """The number of events by their status now, without zeros."""
    hours: int = 1
    """The number of hours, where several are taken together."""


class Name(NamedTuple):
    """The events of one name."""

    name: str
    events: int
    failed: int


class Field(NamedTuple):
    """The events whose ``Changes`` name this field."""

    entity: str
    name: str
    events: int


class Refusals(NamedTuple):
    """The rejections for one reason."""

    reason: str
    rejections: int
    last: datetime


def events_by_hour(window: Window, events: EventQuerySet | None = None) -> list[Hour]:
    """Return each hour of the window with its events. Index: superoffice_event_status."""
    hours = {hour: Hour(hour, {}) for hour in window.hours()}
    counts = (
        window.events(events)
        # All of them: so the index has all columns, and no row of the table is read.
        .filter(status__in=Event.Status.values)
        .annotate(hour=TruncHour("received_at", tzinfo=UTC))
        # Without an order, a database need not sort what it counts.
        .order_by()
        .values_list("hour", "status")
        .annotate(events=Count("*"))
    )
    for hour, status, count in counts:
        hours[hour].events[status] = count
    return list(hours.values())


def totals(hours: Iterable[Hour]) -> Counter[str]:
    """Return the number of events of these hours, by their status now."""
    return sum((Counter(hour.events) for hour in hours), Counter())


def events_by_name(window: Window, limit: int, events: EventQuerySet | None = None) -> list[Name]:
    """Return the event names of the window with the highest counts."""
    failed = Count("pk", filter=Q(status=Event.Status.FAILED))
    names = window.events(events).values_list("name").annotate(events=Count("pk"), failed=failed)
    return [Name(*row) for row in names.order_by("-events", "name")[:limit]]


def changed_fields(
    window: Window,
    limit: int,
    events: EventQuerySet | None = None,
    *,
    max_lists: int = MAX_LISTS,
) -> list[Field]:
    """Return the fields with the highest counts of changes, without noise.

    Events are counted by their list of changed fields, and the fields of each list are read once.
    Only the ``max_lists`` lists with the highest counts are read.
    """
    lists = window.events(events).exclude(change_set=None).values_list("change_set")
    frequent = lists.annotate(events=Count("pk")).order_by("-events", "change_set")
    counts = dict(frequent[:max_lists])
    fields = ChangeSet.fields.through.objects.filter(changeset__in=counts)
    changed = Counter[tuple[str, str]]()
    for change_set, entity, name in fields.values_list(
        "changeset", "changedfield__entity", "changedfield__name"
    ):
        if name not in conf.noise_of(entity):
            changed[entity, name] += counts[change_set]
    first = sorted(changed.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [Field(entity, name, count) for (entity, name), count in first]


def rejections(
    window: Window, limit: int = MAX_REJECTIONS, *, rows: QuerySet[Rejection] | None = None
) -> list[Refusals]:
    """Return the reasons of rejections in the window, highest count first. Index: the primary key.

    Of unsigned deliveries, only the newest ``Rejection.objects.MAX_UNVERIFIED`` are stored.
    ``rows`` are those that count; None means all.
    """
    counted = Rejection.objects.all() if rows is None else rows
    newest = counted.order_by("-pk").values_list("reason", "received_at")
    counts = Counter[str]()
    last: dict[str, datetime] = {}
    for reason, at in newest[:limit]:
        if window.since <= at < window.until:
            counts[reason] += 1
            last[reason] = max(at, last.get(reason, at))
    return [Refusals(reason, count, last[reason]) for reason, count in counts.most_common()]
