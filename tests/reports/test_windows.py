"""Windows: which time they mean, to the hour, and how long they can be."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks.reports.windows import HOURS_OF, MAX_DAYS, Window, friday_evening

HOUR = timedelta(hours=1)


def oslo(day: int, hour: int) -> datetime:
    """A time in November 2026; the 27th is a Friday."""
    return timezone.make_aware(datetime(2026, 11, day, hour))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("now", "evening"),
    [
        (oslo(30, 8), oslo(27, 18)),
        (oslo(28, 6), oslo(27, 18)),
        (oslo(28, 5), oslo(20, 18)),
        (oslo(27, 18), oslo(20, 18)),
        (oslo(27, 10), oslo(20, 18)),
    ],
)
def test_since_friday_is_since_the_last_weekend_began(now, evening):
    assert friday_evening(now) == evening


@override_settings(USE_TZ=False)
def test_friday_is_known_without_time_zones_too():
    monday = datetime(2026, 11, 30, 8)  # noqa: DTZ001
    assert friday_evening(monday) == datetime(2026, 11, 27, 18)  # noqa: DTZ001


def test_those_that_can_be_chosen_are_as_long_as_they_are_called():
    assert {name: hours for name, hours in HOURS_OF.items() if hours} == {
        "24h": 24,
        "48h": 48,
        "7d": 168,
        "30d": 720,
    }
    assert len(list(Window.named("24h").hours())) == 24


@pytest.mark.parametrize("name", HOURS_OF)
def test_each_that_can_be_chosen_begins_on_the_hour_and_ends_now(name):
    window = Window.named(name)
    assert window.since.minute == window.since.second == window.since.microsecond == 0
    assert timezone.now() - window.until < timedelta(minutes=1)
    if HOURS_OF[name]:
        assert len(list(window.hours())) == HOURS_OF[name]


def test_one_from_a_time_to_another_has_these_full_hours():
    now = timezone.now().astimezone(UTC)
    since, until = now - 5 * HOUR, now - 2 * HOUR
    window = Window.between(since, until)
    assert window.since == since.replace(minute=0, second=0, microsecond=0)
    assert window.until == until


def test_none_is_longer_than_can_be_counted_and_none_is_to_come():
    now = timezone.now()
    window = Window.between(now - timedelta(days=400), now + timedelta(days=400))
    assert window.until - now < timedelta(minutes=1)
    assert (
        timedelta(days=MAX_DAYS) <= window.until - window.since < timedelta(days=MAX_DAYS, hours=1)
    )


def test_one_that_ends_before_it_begins_is_empty():
    now = timezone.now()
    window = Window.between(now - HOUR, now - 9 * HOUR)
    assert window.since == window.until
    assert list(window.hours()) == []
