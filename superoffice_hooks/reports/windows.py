"""Windows: the time that figures are about."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from ..models import Event
from ..models.event_queryset import EventQuerySet

HOURS = 48
"""How long a window is, unless a person chooses another one."""
MAX_DAYS = 35
"""No window is longer: all events in it are counted."""
FRIDAY = "friday"
"""The window since Friday evening."""
HOURS_OF = {"24h": 24, "48h": 48, FRIDAY: 0, "7d": 7 * 24, "30d": 30 * 24}
"""The windows to choose from, and how many hours they have."""

_HOUR = timedelta(hours=1)


class Window(NamedTuple):
    """The time from ``since`` until before ``until``.

    It begins on the hour in UTC, so that no hour is missing or doubled where clocks are changed.
    With USE_TZ = False, it begins on the hour of the local clock.
    """

    since: datetime
    until: datetime

    @classmethod
    def latest(cls, hours: int = HOURS) -> "Window":
        """Return the present hour, as far as it is over, and those before it."""
        now = timezone.now()
        return cls(_full_hour(now) - (hours - 1) * _HOUR, now)

    @classmethod
    def named(cls, name: str) -> "Window":
        """Return one of the windows to choose from; KeyError if there is none of this name."""
        hours = HOURS_OF[name]
        if hours:
            return cls.latest(hours)
        now = timezone.now()
        return cls(_full_hour(friday_evening(now)), now)

    @classmethod
    def between(cls, since: datetime, until: datetime | None) -> "Window":
        """Return the full hours since a time, up to now and to MAX_DAYS."""
        now = timezone.now()
        until = min(until or now, now)
        longest = _full_hour(until - timedelta(days=MAX_DAYS))
        return cls(min(max(_full_hour(since), longest), until), until)

    def hours(self) -> Iterator[datetime]:
        """Yield when each of the hours begins."""
        hour = self.since
        while hour < self.until:
            yield hour
            hour += _HOUR

    def events(self, events: EventQuerySet | None = None) -> EventQuerySet:
        """Return the events received in the window. ``events`` restricts them; None means all.

        Index: superoffice_event_received.
        """
        rows = Event.objects.all() if events is None else events
        return rows.received_between(self.since, self.until)


def friday_evening(now: datetime) -> datetime:
    """Return the last Friday 18:00 in the current time zone that is at least twelve hours past.

    On Friday night, "since Friday" still means the week before.
    """
    local = timezone.localtime(now) if timezone.is_aware(now) else now
    past = local - timedelta(hours=12)
    evening = past.replace(hour=18, minute=0, second=0, microsecond=0)
    evening -= timedelta(days=(evening.weekday() - 4) % 7)
    return evening if evening <= past else evening - timedelta(days=7)


def _full_hour(time: datetime) -> datetime:
    if timezone.is_aware(time):
        time = time.astimezone(UTC)
    return time.replace(minute=0, second=0, microsecond=0)
