"""Events that wait to be handed to a receiver together, and those that were."""

from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, FailureGroup
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.testing import dispatch_due

from ..copies import copies
from ..gathered import call, gathering, of_record
from .conftest import EVENTS, REPLAY, VIEW, logged_in
from .page import Page
from .test_overview import OVERVIEW, RECEIVERS, rows

pytestmark = pytest.mark.django_db

SYNC = "desk.sync"
ERRORS = '<section class="module superoffice-errors"'


def at(time) -> str:
    return timezone.localtime(time).strftime("%Y-%m-%d %H:%M:%S")


def settles(**kwargs):
    """A receiver of all events of a record together."""


def succeeds(**kwargs):
    """A receiver of each event."""


def batches(**kwargs):
    """A receiver of many events together."""


class TestEvent:
    def test_it_says_until_when_it_waits_for_quiet(self, event, page_of):
        stored = event()
        row = gathering(SYNC, stored, **of_record(stored))
        page = page_of(stored)
        wait = f"waits for quiet until {at(row.quiet_at)}, until {at(row.call_by)} at the latest"
        assert f"and {wait}." in page.text
        assert "waiting" in page.text
        assert page.text.count(wait) == 2, "in the sentence, and in the table of runs"
        assert "joined" in page.text

    def test_it_says_until_when_it_waits_for_a_batch(self, event, page_of):
        stored = event()
        row = gathering(SYNC, stored)
        assert (
            f"waits for a full batch, until {at(row.call_by)} at the latest" in page_of(stored).text
        )

    @pytest.mark.parametrize(
        ("due_in", "columns", "words"),
        [
            (-301, {}, "is overdue: nobody has dispatched it since 20"),
            (60, {"attempts": 1}, "is to be retried at 20"),
            (
                200,
                {"claim": 7, "begun_by": "web1 pid 42", "begun_at": timezone.now()},
                "is being dispatched by web1 pid 42 since 20",
            ),
        ],
    )
    def test_it_says_what_else_there_is_to_say(self, event, page_of, due_in, columns, words):
        stored = event()
        gathering(SYNC, stored, due_in=due_in, **of_record(stored), **columns)
        assert f"and {words}" in page_of(stored).text

    def test_of_two_receivers_the_first_to_be_called_is_in_the_sentence(self, event, page_of):
        stored = event()
        gathering("desk.later", stored, due_in=60)
        row = gathering(SYNC, stored, due_in=30, **of_record(stored))
        assert f"and waits for quiet until {at(row.quiet_at)}" in page_of(stored).text

    def test_where_the_gathering_has_just_ended_it_waits_all_the_same(self, event, page_of):
        stored = event()
        gathering(SYNC, stored).delete()
        assert "and waits to be called together with other events." in page_of(stored).text

    def test_it_leads_to_the_event_with_which_it_went(self, event, page_of):
        older, newer = event(), event()
        call(gathering(SYNC, older, newer, **of_record(older)), newer)
        page = page_of(older)
        assert page.links[f"went with event {newer.pk}"] == f"{EVENTS}{newer.pk}/change/"
        assert "succeeded" in page.text
        assert "went with" not in page_of(newer).text

    def test_to_have_joined_is_no_failure(self, event, page_of):
        stored = event()
        gathering(SYNC, stored)
        assert ERRORS not in page_of(stored).html

    def test_what_failed_is_still_failed_until_the_call_succeeds(self, event, page_of, viewer):
        stored = event()
        failed = {"outcome": "failed", "attempt": 1, "started_at": timezone.now()}
        stored.runs.create(receiver=SYNC, error="ValueError: away", **failed)
        row = gathering(SYNC, stored, attempts=1, **of_record(stored))
        page = page_of(stored)
        assert ERRORS in page.html
        assert "and is to be retried at 20" in page.text
        link = page.links["All that is still failed for this receiver"]
        assert Page.get(viewer, link).cells("failure") == ["desk.sync ValueError: away"]
        row.runs.update(attempt=2)
        call(row, stored)
        page = page_of(stored)
        assert ERRORS not in page.html
        assert "and succeeded after 2 attempts." in page.text
        assert Page.get(viewer, link).cells("failure") == []

    def test_a_receiver_joins_and_says_when_it_is_called(self, event, connect, page_of):
        stored = event()
        connect(signals.ticket_changed, settles, settle=30, at_most=1.5e3)
        connect(signals.any_event, batches, batch=100)
        text = page_of(stored).text
        assert "joins: once per record, after 30 s of quiet, after 1500 s at the latest" in text
        assert "joins: for up to 100 events at once, after 5 s at the latest" in text

    def test_it_is_not_replayed_while_it_waits(self, event, connect, replayer):
        connect(signals.ticket_changed, settles, settle=30)
        stored = event()
        gathering(SYNC, stored)
        assert "Replay" not in Page.get(replayer, f"{EVENTS}{stored.pk}/change/").links

    def test_the_page_before_a_replay_says_who_joins_in_a_dispatch(self, event, connect, replayer):
        stored = event()
        connect(signals.ticket_changed, settles, settle=30)
        connect(signals.any_event, succeeds)
        text = Page.get(replayer, f"{REPLAY}?ids={stored.pk}").text
        assert (
            "In its dispatch, an event joins others for tests.admin.test_gatherings.settles. The"
            " replay calls it for each event by itself."
        ) in text
        assert "joins others for tests.admin.test_gatherings.succeeds" not in text


class TestList:
    def test_what_waits_can_be_filtered_and_is_no_failure(self, event, viewer):
        event()
        stored = event(PrimaryKey=7)
        gathering(SYNC, stored)
        page = Page.get(viewer, EVENTS).filter("waiting")
        assert page.url == f"{EVENTS}?status__exact=waiting"
        assert page.cells("status_word") == ["waiting"]
        assert page.cells("failure") == ["-"]

    def test_what_has_joined_is_an_outcome_to_filter_by(self, event, viewer):
        event()
        gathering(SYNC, event(PrimaryKey=7))
        page = Page.get(viewer, f"{EVENTS}?receiver={SYNC}&outcome=joined")
        assert page.cells("record") == ["ticket 7 Default"]


class TestReceivers:
    def test_each_says_how_it_is_called(self, connect, viewer):
        connect(signals.ticket_changed, settles, settle=30)
        connect(signals.any_event, batches, batch=1000, within=0.5)
        told = rows(Page.get(viewer, RECEIVERS), "receivers")
        assert "once per record, after 30 s of quiet, after 300 s at the latest" in told[1]
        assert "for up to 1000 events at once, after 0.5 s at the latest" in told[0]

    def test_a_call_for_several_events_is_one_call(self, event, viewer):
        events = [event() for _ in range(3)]
        call(gathering(SYNC, *events, **of_record(events[0])), events[-1])
        gathering("desk.other", events[0])
        (told,) = rows(Page.get(viewer, RECEIVERS), "receivers")
        assert told.startswith("desk.sync not connected 1 for 3 events 0.0 % (0)")


class TestOverview:
    def test_what_waits_is_counted_and_leads_to_its_events(self, event, viewer):
        assert "Gatherings" not in Page.get(viewer, OVERVIEW).text
        gathering(SYNC, event(), event())
        gathering("desk.other", event(PrimaryKey=7))
        page = Page.get(viewer, OVERVIEW)
        assert "Gatherings 2 gatherings wait. Their events" in page.text
        assert len(page.click("Their events").cells("record")) == 3

    def test_what_is_overdue_is_in_the_verdict(self, event, viewer):
        gathering(SYNC, event(), due_in=-301)
        gathering("desk.other", event(PrimaryKey=7), due_in=-299)
        page = Page.get(viewer, OVERVIEW)
        assert "Somebody is needed: nobody dispatches; 1 gathering is overdue." in page.text
        assert page.links["1 gathering is overdue"] == f"{EVENTS}?status__exact=waiting"
        assert "2 gatherings wait, 1 is overdue." in page.text
        assert "Something has been due since 20" in page.text

    def test_many_are_not_counted_to_the_end(self, event, viewer):
        copies(gathering("desk.first", event()), 1000, receiver=lambda number: f"desk.{number}")
        assert "1000 gatherings or more wait." in Page.get(viewer, OVERVIEW).text

    def test_an_hour_has_those_that_wait(self, event, viewer):
        gathering(SYNC, event())
        page = Page.get(viewer, OVERVIEW)
        assert "1 waiting" in page.text
        assert page.click("1 waiting").cells("status_word") == ["waiting"]

    def test_of_another_user_no_more_is_counted_than_they_may_see(self, event, monkeypatch):
        gathering(SYNC, event(ContextIdentifier="Cust1"))
        gathering("desk.other", event(ContextIdentifier="Cust2"))

        def of_tenant(self, request):
            return Event.objects.filter(tenant="Cust1")

        monkeypatch.setattr("superoffice_hooks.admin.EventAdmin.get_queryset", of_tenant)
        page = Page.get(logged_in("ted", *VIEW, is_staff=True), OVERVIEW)
        assert "1 gathering waits." in page.text


class TestDispatched:
    """The same with receivers that are really called."""

    def test_a_burst_is_one_call_and_says_so(self, event, connect, page_of, viewer):
        connect(signals.ticket_changed, settles, settle=30)
        older, newer = event(), event()
        assert "and waits for quiet until 20" in page_of(older).text
        assert "Gatherings 1 gathering waits." in Page.get(viewer, OVERVIEW).text
        dispatch_due(later=timedelta(seconds=31))
        page = page_of(older)
        assert "and succeeded after 1 attempt." in page.text
        assert page.links[f"went with event {newer.pk}"] == f"{EVENTS}{newer.pk}/change/"
        (told,) = rows(Page.get(viewer, RECEIVERS), "receivers")
        assert "at the latest 1 for 2 events 0.0 % (0)" in told
        assert "Gatherings" not in Page.get(viewer, OVERVIEW).text

    @pytest.mark.parametrize("together", [{"settle": 30}, {"batch": 2}])
    def test_a_failure_counts_the_same_on_every_page_until_it_is_mended(
        self, event, connect, viewer, together
    ):
        state = {"broken": True}

        def breaks(**kwargs):
            if state["broken"]:
                raise ValueError("away")

        connect(signals.ticket_changed, breaks, **together)
        event(), event()
        dispatch_due(later=timedelta(seconds=31), raises=False)
        (told,) = rows(Page.get(viewer, RECEIVERS), "receivers")
        failed = Event.objects.filter(runs__outcome="failed").count()
        assert failed == (1 if "settle" in together else 2)
        assert told.endswith(f" {failed}")
        (group,) = rows(Page.get(viewer, OVERVIEW), "failures")
        assert f" {failed} 20" in group
        path = dotted_path(breaks)
        for query in (f"?failing={path}", f"?group={group_of(breaks)}"):
            assert len(Page.get(viewer, EVENTS + query).cells("failure")) == failed
        state["broken"] = False
        dispatch_due(later=timedelta(hours=9))
        assert Page.get(viewer, f"{EVENTS}?failing={path}").cells("failure") == []
        assert rows(Page.get(viewer, OVERVIEW), "failures") == []
        assert {*Event.objects.values_list("status", flat=True)} == {"succeeded"}


def group_of(receiver) -> int:
    return FailureGroup.objects.get(receiver=dotted_path(receiver)).pk
