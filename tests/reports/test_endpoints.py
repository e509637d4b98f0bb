"""Endpoints: silence is unusual only where the same hours of four weeks were not silent."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test.utils import override_settings
from django.utils import timezone

from superoffice_hooks.models import Event, Redelivery
from superoffice_hooks.reports.endpoints import USUAL, endpoints
from superoffice_hooks.reports.windows import Window

from ..conftest import SECRET

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
TWO_HOURS = 2 * HOUR


def received(*ages: timedelta, endpoint: str = "default", status: str = "succeeded") -> None:
    """Let the endpoint have had an event so long ago."""
    now = timezone.now()
    Event.objects.bulk_create(
        Event(
            endpoint=endpoint,
            event_id=uuid4(),
            name="ticket.changed",
            received_at=now - age,
            status=status,
            payload={},
            body=b"",
        )
        for age in ages
    )


def of_weeks(*weeks: int, events: int = USUAL) -> list[timedelta]:
    """Ages of events in the last hours of the same weekday, so many weeks ago."""
    minutes = [timedelta(minutes=30 + number) for number in range(events)]
    return [timedelta(weeks=week) + minute for week in weeks for minute in minutes]


def silent() -> tuple[str, ...]:
    return endpoints(Window.latest()).silent


def test_one_that_was_busy_at_this_time_in_each_of_four_weeks_is_unusually_silent():
    received(*of_weeks(1, 2, 3, 4), TWO_HOURS)
    assert silent() == ("default",)


def test_a_week_without_events_at_this_time_makes_it_usual():
    received(*of_weeks(1, 2, 4), TWO_HOURS)
    assert silent() == ()


def test_a_week_with_fewer_events_makes_it_usual():
    received(*of_weeks(1, 2, 3), *of_weeks(4, events=USUAL - 1), TWO_HOURS)
    assert silent() == ()


def test_an_hour_of_silence_is_not_looked_at():
    received(*of_weeks(1, 2, 3, 4), timedelta(minutes=55))
    assert silent() == ()


def test_one_that_is_silent_for_longer_than_the_window_is_compared_by_a_day():
    day = timedelta(hours=20)
    received(*(age + day for age in of_weeks(1, 2, 3, 4)), timedelta(days=5))
    (heard,) = endpoints(Window.latest()).heard
    assert heard.is_silent
    assert timezone.now() - heard.last > timedelta(days=5)


def test_the_silence_is_that_of_now_whatever_window_is_chosen():
    day = timedelta(hours=24)
    received(*of_weeks(1, 2, 3, 4), timedelta(days=9, hours=12), timedelta(minutes=5))
    now = timezone.now()
    (heard,) = endpoints(Window.between(now - 10 * day, now - 9 * day)).heard
    assert not heard.is_silent
    assert timezone.now() - heard.last < timedelta(minutes=6)


def test_one_that_has_heard_nothing_for_days_says_since_when_whatever_window_is_chosen():
    received(timedelta(days=9, hours=12), timedelta(days=3))
    now = timezone.now()
    for window in (
        Window.latest(),
        Window.named("7d"),
        Window.between(now - timedelta(days=10), now - timedelta(days=9)),
    ):
        (heard,) = endpoints(window).heard
        assert timedelta(days=3) <= now - heard.last < timedelta(days=3, minutes=1)


def test_the_last_delivery_is_the_newest_event_or_a_later_redelivery():
    received(timedelta(days=5), timedelta(days=4))
    redelivered = Redelivery.objects.create(
        event=Event.objects.earliest("received_at"),
        received_at=timezone.now() - timedelta(days=4, hours=20),
    )
    newest = Event.objects.latest("received_at").received_at
    (heard,) = endpoints(Window.latest()).heard
    assert heard.last == newest
    Redelivery.objects.update(received_at=newest + HOUR)
    redelivered.refresh_from_db()
    (heard,) = endpoints(Window.latest()).heard
    assert heard.last == redelivered.received_at


def test_one_that_the_settings_name_and_nobody_sends_to_is_not_silent_but_has_heard_nothing():
    received(HOUR)
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": {"default": [SECRET], "new": [SECRET]}}):
        _default, new = endpoints(Window.latest()).heard
    assert new == ("new", None, False)


def test_without_an_event_all_have_heard_nothing(django_assert_num_queries):
    with django_assert_num_queries(3):
        found = endpoints(Window.latest())
    assert found == ([("default", None, False)], 0, 0, (0, 0, 0, 0.0))


def test_however_many_there_are_they_take_three_queries(django_assert_num_queries):
    for number in range(30):
        received(*of_weeks(1, 2, 3, 4), TWO_HOURS, endpoint=f"endpoint {number}")
    with django_assert_num_queries(3):
        assert len(silent()) == 30


def test_what_has_failed_is_counted_by_the_same_query():
    received(HOUR, TWO_HOURS, status="failed")
    assert endpoints(Window.latest()).failed == 2


def test_only_the_events_that_are_named_count():
    received(HOUR, endpoint="mine", status="failed")
    received(HOUR, endpoint="yours", status="failed")
    found = endpoints(Window.latest(), Event.objects.filter(endpoint="mine"))
    assert [heard.name for heard in found.heard] == ["mine"]
    assert found.failed == 1
