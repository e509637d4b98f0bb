"""How things stand, for monitors."""

from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Dispatcher, Event
from superoffice_hooks.models.dispatcher import GONE_AFTER_SECONDS
from superoffice_hooks.receiving import spool
from superoffice_hooks.reports import standing
from superoffice_hooks.reports.stages import OVERDUE_SECONDS
from superoffice_hooks.wire.notification import Delivery

from ..copies import copies
from .conftest import raises

pytestmark = pytest.mark.django_db


def counts(told) -> dict[str, int]:
    return {one["status"]: one["events"] for one in told["statuses"] if one["events"]}


def test_nothing_received_is_nothing_to_worry_about(viewer):
    told = viewer.read("status/")
    assert counts(told) == {}
    assert [one["status"] for one in told["statuses"]] == Event.Status.values
    assert told["oldest_pending"] is None
    assert told["endpoints"] == [{"name": "default", "last_delivery": None, "last_test": None}]


@pytest.mark.usefixtures("one_attempt")
def test_events_are_counted_by_status(viewer, event, connect):
    connect(signals.ticket_changed, raises)
    event(), event(), event("sale.sold")
    told = viewer.read("status/")
    assert counts(told) == {"failed": 2, "skipped": 1}
    assert {one["at_least"] for one in told["statuses"]} == {False}


def test_more_than_are_counted_are_told_as_at_least_so_many(viewer, event):
    copies(event(), standing.MAX_COUNTED, payload={}, body=b"", headers={})
    (skipped,) = (one for one in viewer.read("status/")["statuses"] if one["events"])
    assert skipped == {"status": "skipped", "events": 10_000, "at_least": True}


def test_the_oldest_pending_event_is_told_with_its_age(viewer, event, settings):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
    old = event("sale.sold")
    event()
    Event.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(minutes=5))
    oldest = viewer.read("status/")["oldest_pending"]
    assert (oldest["id"], oldest["event"]) == (old.pk, "sale.sold")
    assert 300 <= oldest["age"] < 360
    assert oldest["next_attempt_at"]


@pytest.mark.usefixtures("one_attempt")
def test_what_came_in_lately_is_told_by_what_became_of_it(viewer, event, connect):
    connect(signals.ticket_changed, raises)
    event(), event("sale.sold"), event("sale.sold")
    old = event()
    Event.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(hours=2))
    told = viewer.read("status/")
    assert {k: n for k, n in told["lately"]["events"].items() if n} == {"failed": 1, "skipped": 2}
    assert told["lately"]["since"] < told["at"]


def test_an_endpoint_says_when_it_last_heard_of_superoffice(viewer, event):
    sent, test = event(), event("test")
    (endpoint,) = viewer.read("status/")["endpoints"]
    assert endpoint["name"] == "default"
    assert endpoint["last_delivery"] == endpoint["last_test"]
    assert Event.objects.get(pk=test.pk).received_at > sent.received_at


class TestDispatching:
    @pytest.fixture
    def waiting(self, event, settings):
        """Three events that nobody dispatches."""
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
        return [event() for _ in range(3)]

    def test_who_dispatches_is_told(self, viewer, dispatcher):
        told = viewer.read("status/")["dispatching"]
        (one,) = told["dispatchers"]
        assert one.pop("started_at") <= one.pop("seen_at") == told["last_seen"]
        assert one == {
            "host": dispatcher.host,
            "pid": dispatcher.pid,
            "kind": "command",
            "lanes": 4,
            "hung": 0,
        }
        assert (told["due"], told["at_least"], told["oldest_due"]) == (0, False, 0)

    def test_one_that_is_gone_was_seen_last(self, viewer, dispatcher):
        ago = timedelta(seconds=GONE_AFTER_SECONDS + 2)
        Dispatcher.objects.update(seen_at=timezone.now() - ago)
        told = viewer.read("status/")["dispatching"]
        assert told["dispatchers"] == []
        assert told["last_seen"]

    def test_what_is_due_is_counted_with_how_long_it_waits(self, viewer, waiting):
        first, _, later = waiting
        due_at = timezone.now() - timedelta(seconds=100)
        Event.objects.filter(pk=first.pk).update(next_attempt_at=due_at)
        due_at = timezone.now() + timedelta(seconds=100)
        Event.objects.filter(pk=later.pk).update(next_attempt_at=due_at)
        told = viewer.read("status/")["dispatching"]
        assert (told["due"], told["at_least"]) == (2, False)
        assert 100 <= told["oldest_due"] < 130
        first.refresh_from_db()
        copies(first, 1000)
        assert viewer.read("status/")["dispatching"]["at_least"] is True

    def test_what_is_wrong_is_said_in_the_words_of_the_command(self, viewer, waiting, dispatcher):
        Dispatcher.objects.update(hung=1)
        due_at = timezone.now() - timedelta(seconds=OVERDUE_SECONDS + 10)
        Event.objects.update(next_attempt_at=due_at)
        problems = viewer.read("status/")["problems"]
        assert len(problems) == 2
        assert problems[0].startswith("3 events are due, the oldest for 31")
        assert problems[1].startswith(f"{dispatcher} has 1 of 4 lanes in a call")

    def test_where_all_is_well_nothing_is_wrong(self, viewer, waiting, dispatcher):
        assert viewer.read("status/")["problems"] == []


class TestSpool:
    def test_without_one_nothing_is_in_it(self, viewer):
        empty = {"length": 0, "age": None, "bytes": 0, "set_aside": 0}
        assert viewer.read("status/")["spool"] == empty

    def test_what_is_in_it_is_counted_with_how_long_it_waits(self, viewer, settings, tmp_path):
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "SPOOL_DIR": tmp_path}
        delivery = Delivery(
            endpoint="default",
            body=b"{}",
            headers={},
            remote_addr=None,
            received_at=timezone.now(),
            signed=True,
        )
        for _ in range(3):
            spool.put(delivery)
        spool.set_aside(next(spool.waiting()), "nobody can read it")
        told = viewer.read("status/")["spool"]
        assert (told["length"], told["set_aside"]) == (2, 1)
        assert told["bytes"] > 0
        assert 0 <= told["age"] < 60
