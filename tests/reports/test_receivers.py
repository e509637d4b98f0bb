"""Receivers: their calls in a window, how long these took, and what is still failed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun
from superoffice_hooks.reports.receivers import Figures, receivers
from superoffice_hooks.reports.windows import Window

pytestmark = pytest.mark.django_db

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def event(db) -> Event:
    now = timezone.now()
    return Event.objects.create(
        event_id="1fc5752a-6de8-412d-847a-12d5529a0ec6", received_at=now, payload={}, body=b""
    )


def ran(
    event: Event, receiver: str, *durations: int, outcome: str = "postponed", **columns
) -> None:
    """Let the receiver have been called, each time for so many milliseconds."""
    started_at = columns.pop("started_at", timezone.now())
    ReceiverRun.objects.bulk_create(
        ReceiverRun(
            event=event,
            receiver=receiver,
            attempt=1,
            outcome=outcome,
            started_at=started_at,
            duration=duration * MILLISECOND,
            **columns,
        )
        for duration in durations
    )


def figures(window: Window | None = None) -> dict[str, Figures]:
    found = receivers(window or Window.latest())
    return {one.receiver: one for one in found.receivers}


@pytest.mark.parametrize(
    ("durations", "p95"),
    [([7], 7), ([1, 2], 2), (range(1, 21), 19), (range(1, 22), 20), (range(100, 0, -1), 95)],
)
def test_the_p95_is_the_smallest_duration_that_95_of_100_calls_do_not_exceed(event, durations, p95):
    ran(event, "app.slow", *durations)
    ran(event, "app.other", 1000)
    found = figures()
    assert found["app.slow"].p95 == p95 * MILLISECOND
    assert found["app.other"].p95 == 1000 * MILLISECOND


def test_calls_failures_and_the_mean_are_those_of_the_window(event):
    ran(event, "app.one", 100, outcome="failed", error="ValueError: bad\nmore")
    ran(event, "app.one", 300, outcome="gave_up", error="GiveUp: never")
    ran(event, "app.one", 200, outcome="succeeded", succeeded_in=0)
    ran(event, "app.one", 9000, started_at=timezone.now() - timedelta(days=9))
    one = figures()["app.one"]
    assert (one.calls, one.failed, one.mean) == (3, 2, 200 * MILLISECOND)
    assert one.failure_rate == pytest.approx(2 / 3)
    assert one.error == "GiveUp: never"
    assert one.last_success
    assert one.last_failure
    # The last run was a success.
    assert one.still_failed == 0


def test_the_last_failure_is_the_one_that_began_last_whenever_it_was_stored(event):
    now = timezone.now()
    ran(event, "app.one", 1, outcome="failed", error="new", started_at=now)
    hour_ago = now - timedelta(hours=1)
    ran(event, "app.one", 1, outcome="gave_up", error="old", started_at=hour_ago)
    ran(event, "app.two", 1, outcome="failed", error="of another", started_at=hour_ago)
    found = figures()
    assert (found["app.one"].last_failure, found["app.one"].error) == (now, "new")
    assert (found["app.two"].last_failure, found["app.two"].error) == (hour_ago, "of another")


def test_what_is_still_failed_is_counted_by_events(event):
    ran(event, "app.one", 1, 1, outcome="failed")
    assert figures()["app.one"].still_failed == 1
    Event.objects.update(status="handled")
    assert figures()["app.one"].still_failed == 0


def test_a_connected_receiver_is_there_without_a_call_and_with_its_filters(connect):
    def quiet(**kwargs): ...

    connect(signals.ticket_changed, quiet, fields="priority", ignore_own=True)
    (found,) = figures().values()
    (connection,) = found.connections
    assert (found.calls, found.failure_rate, found.mean, found.p95) == (0, None, None, None)
    assert connection.pattern == "ticket.changed"
    assert list(connection.options.names or ()) == ["priority"]


def test_one_that_is_gone_is_there_as_long_as_it_was_called(event):
    ran(event, "app.gone", 1)
    assert figures()["app.gone"].connections == ()


def test_of_too_many_calls_the_newest_are_counted(event):
    now = timezone.now()
    for minutes in range(5):
        at = now - timedelta(minutes=minutes)
        ran(event, "app.one", 1, outcome="failed", started_at=at)
    found = receivers(Window.latest(), max_calls=2)
    assert found.receivers[0].calls == 3
    assert found.since == now - timedelta(minutes=2)


def test_however_many_there_are_they_take_as_many_queries(event, django_assert_num_queries):
    for number in range(9):
        ran(event, f"app.receiver_{number}", 1, outcome="failed")
    with django_assert_num_queries(6 if connection.vendor == "postgresql" else 7):
        assert len(figures()) == 9


def test_only_runs_for_the_events_that_are_named_count(event):
    ran(event, "app.one", 1)
    assert receivers(Window.latest(), Event.objects.none()).receivers == []
