"""The page of receivers: what each is connected to, how long it takes, and what is still failed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun
from superoffice_hooks.reports.receivers import MAX_CALLS

from ..copies import copies
from .conftest import EVENTS, raises
from .page import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]

RECEIVERS = f"{EVENTS}receivers/"


def fine(**kwargs): ...


def by_function(changes, **kwargs) -> bool:
    return True


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({}, "ticket.changed"),
        ({"fields": {"priority", "deadline"}}, "ticket.changed; fields: deadline, priority"),
        ({"fields": by_function}, "ticket.changed; fields: by a function"),
        (
            {"fields": "priority", "unknown_changes": "skip"},
            "fields: priority; not if the changed fields are unknown",
        ),
        ({"ignore_own": True}, "ticket.changed; not our own"),
    ],
)
def test_a_receiver_is_shown_with_its_filters(connect, viewer, filters, words):
    connect(signals.ticket_changed, fine, **filters)
    assert words in Page.get(viewer, RECEIVERS).text


def test_without_a_receiver_the_page_says_so(viewer):
    assert "No receiver is connected, and none was called" in Page.get(viewer, RECEIVERS).text


def test_one_that_was_called_and_is_gone_is_not_connected(event, connect, viewer):
    signal = signals.ticket_changed
    connect(signal, fine)
    event()
    signal.disconnect(fine)
    text = Page.get(viewer, RECEIVERS).text
    assert f"{fine.__module__}.fine" in text
    assert "not connected" in text


@pytest.mark.parametrize(
    ("duration", "words"), [(0.0124, "12 ms"), (0.9994, "999 ms"), (1.25, "1.2 s"), (75, "75.0 s")]
)
def test_durations_are_in_milliseconds_or_seconds(event, connect, viewer, duration, words):
    connect(signals.ticket_changed, fine)
    event()
    ReceiverRun.objects.update(duration=timedelta(seconds=duration))
    # The mean and the p95.
    assert Page.get(viewer, RECEIVERS).text.count(words) == 2


def test_a_failure_has_its_first_line_and_its_share(event, connect, viewer):
    connect(signals.any_event, raises)
    event()
    event("ticket.created")
    ReceiverRun.objects.filter(event=Event.objects.earliest("pk")).update(
        outcome="succeeded", succeeded_in=0, counts_in_group=False
    )
    text = Page.get(viewer, RECEIVERS).text
    assert "50.0 % (1)" in text
    assert "ValueError: no <b>such</b> ticket" in text


def test_what_is_still_failed_leads_to_the_events_and_to_their_replay(event, connect, replayer):
    connect(signals.any_event, raises)
    event()
    event()
    page = Page.get(replayer, RECEIVERS)
    assert "failing=" in page.links["2"]
    assert len(page.click("2").cells("event_name")) == 2
    assert "Replay 2 events" in page.click("Replay").text


def test_who_may_not_replay_is_offered_none(event, connect, viewer):
    connect(signals.any_event, raises)
    event()
    page = Page.get(viewer, RECEIVERS)
    assert "1" in page.links
    assert "Replay" not in page.links


def test_of_too_many_calls_it_says_since_when_they_are_counted(event, connect, viewer):
    connect(signals.any_event, raises)
    event()
    run = ReceiverRun.objects.get()
    copies(run, MAX_CALLS, outcome="failed", started_at=run.started_at - timedelta(minutes=10))
    text = Page.get(viewer, RECEIVERS).text
    assert "Not all calls are counted, only those since 20" in text


def test_of_what_happened_before_the_window_nothing_is_said(event, connect, viewer):
    connect(signals.any_event, raises)
    event()
    ReceiverRun.objects.update(started_at=timezone.now() - timedelta(days=3))
    text = Page.get(viewer, RECEIVERS).text
    assert text.count("none counted") == 2
    assert "never" not in text


class TestTheWindow:
    """It is chosen by name, or typed."""

    def test_it_is_two_days_unless_another_is_chosen(self, event, connect, viewer):
        connect(signals.any_event, fine)
        event()
        ReceiverRun.objects.update(started_at=timezone.now() - timedelta(days=3))
        page = Page.get(viewer, RECEIVERS)
        assert "100 %" not in page.text
        assert "0.0 % (0)" not in page.text
        assert "0.0 % (0)" in Page.get(viewer, f"{RECEIVERS}?window=7d").text

    @pytest.mark.parametrize("name", ["", "99d", "<script>", "\x00"])
    def test_an_unknown_name_means_two_days(self, viewer, name):
        page = Page.get(viewer, f"{RECEIVERS}?window={name}")
        now = timezone.localtime()
        assert page.status == 200
        assert f"From {now - timedelta(hours=47):%Y-%m-%d %H}:00:00 to " in page.text

    def test_a_typed_one_is_from_full_hour_to_its_end(self, viewer):
        now = timezone.localtime()
        since, until = now - timedelta(days=2), now - timedelta(days=1)
        query = f"since={since:%Y-%m-%dT%H:%M}&until={until:%Y-%m-%dT%H:%M}"
        page = Page.get(viewer, f"{RECEIVERS}?{query}")
        assert f"From {since:%Y-%m-%d %H}:00:00 to {until:%Y-%m-%d %H:%M}:00." in page.text
        # Other pages are about the same time.
        assert f"since={since:%Y-%m-%dT%H}%3A" in page.html

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("since=yesterday", "yesterday is not a date and time such as"),
            ("since=" + "x" * 99, "x" * 50 + " is not a date"),
            ("since=2100-01-01", "This time has not come yet, or ends before it begins."),
            ("since=2026-05-02&until=2026-05-01", "This time has not come yet, or ends before"),
            ("since=2026-01-01", "No more than 35 days are counted."),
        ],
    )
    def test_what_is_wrong_with_a_typed_one_is_said(self, viewer, query, words):
        page = Page.get(viewer, f"{RECEIVERS}?{query}")
        assert page.status == 200
        assert words in page.text
