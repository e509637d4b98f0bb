"""What came in, changed and failed in the last hours."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncHour
from django.utils import timezone

from .. import conf
from ..models import ChangeSet, Event, ReceiverRun, Rejection
from ..models.event import EventQuerySet

HOURS = 48
MOST_LISTS = 500
"""So many distinct lists of changed fields are counted, the most frequent ones."""
MOST_REJECTIONS = 2000
"""So many rejections are looked at, the newest ones."""


class Window(NamedTuple):
    """Full hours, from ``since`` until before ``until``.

    They begin on the hour in UTC (with USE_TZ = False: of the clock on the wall), so that where
    clocks are changed no hour is missing, and none is two.
    """

    since: datetime
    until: datetime

    @classmethod
    def latest(cls) -> "Window":
        """The last HOURS hours; the last of them is not over yet."""
        until = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return cls(until - timedelta(hours=HOURS), until)

    def hours(self) -> Iterator[datetime]:
        """When each of the hours begins."""
        hour = self.since
        while hour < self.until:
            yield hour
            hour += timedelta(hours=1)

    def events(self) -> EventQuerySet:
        """The events received in the window. Index: superoffice_event_received."""
        return Event.objects.received_between(self.since, self.until)


class Hour(NamedTuple):
    """The events received in one hour."""

    start: datetime
    events: dict[str, int]
    """How many have which status now; only statuses that some have."""


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


class Failures(NamedTuple):
    """The calls of one receiver that failed, or in which it gave up."""

    receiver: str
    calls: int
    events: int
    last: datetime


class Refusals(NamedTuple):
    """The rejections for one reason."""

    reason: str
    rejections: int
    last: datetime


def events_by_hour(window: Window) -> list[Hour]:
    """Every hour of the window with its events."""
    hours = {hour: Hour(hour, {}) for hour in window.hours()}
    counts = (
        window.events()
        .annotate(hour=TruncHour("received_at", tzinfo=UTC))
        .order_by("hour", "status")
        .values_list("hour", "status")
        .annotate(events=Count("pk"))
    )
    for hour, status, events in counts:
        hours[hour].events[status] = events
    return list(hours.values())


def totals(hours: Iterable[Hour]) -> Counter[str]:
    """How many events of these hours have which status now."""
    return sum((Counter(hour.events) for hour in hours), Counter())


def events_by_name(window: Window, most: int) -> list[Name]:
    """The most frequent event names of the window."""
    failed = Count("pk", filter=Q(status=Event.Status.FAILED))
    names = window.events().values_list("name").annotate(events=Count("pk"), failed=failed)
    return [Name(*row) for row in names.order_by("-events", "name")[:most]]


def changed_fields(window: Window, most: int) -> list[Field]:
    """The fields that changed most often, of the MOST_LISTS most frequent lists of the window.

    Without noise, which changes most often of all.
    Events are counted by list, and each list's fields are found once, not for each of its events.
    """
    lists = window.events().exclude(change_set=None).values_list("change_set")
    frequent = lists.annotate(events=Count("pk")).order_by("-events", "change_set")
    counts = dict(frequent[:MOST_LISTS])
    fields = ChangeSet.fields.through.objects.filter(changeset__in=counts)
    changed = Counter[tuple[str, str]]()
    for change_set, entity, name in fields.values_list(
        "changeset", "changedfield__entity", "changedfield__name"
    ):
        if name not in conf.noise_of(entity):
            changed[entity, name] += counts[change_set]
    first = sorted(changed.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [Field(entity, name, events) for (entity, name), events in first]


def failures(window: Window) -> list[Failures]:
    """Which receivers failed in the window, most often first. Index: superoffice_run_outcome.

    Postponed is not failed: the receiver asked for more time.
    """
    failed = ReceiverRun.objects.filter(
        outcome__in=[ReceiverRun.Outcome.FAILED, ReceiverRun.Outcome.GAVE_UP],
        started_at__gte=window.since,
        started_at__lt=window.until,
    )
    receivers = failed.values_list("receiver").annotate(
        calls=Count("pk"), events=Count("event", distinct=True), last=Max("started_at")
    )
    return [Failures(*row) for row in receivers.order_by("-calls", "receiver")]


def rejections(window: Window) -> list[Refusals]:
    """Why deliveries were refused in the window, most often first. Index: the primary key.

    Of unsigned ones, only the newest ``Rejection.objects.MOST_UNVERIFIED`` are there to be counted.
    """
    newest = Rejection.objects.order_by("-pk").values_list("reason", "received_at")
    counts = Counter[str]()
    last: dict[str, datetime] = {}
    for reason, at in newest[:MOST_REJECTIONS]:
        if window.since <= at < window.until:
            counts[reason] += 1
            last[reason] = max(at, last.get(reason, at))
    return [Refusals(reason, count, last[reason]) for reason, count in counts.most_common()]
