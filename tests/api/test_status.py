"""How things stand, for monitors."""

from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks import signals, watching
from superoffice_hooks.models import Event

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


def test_events_are_counted_by_status(viewer, event, connect):
    connect(signals.ticket_changed, raises)
    event(), event(), event("sale.sold")
    told = viewer.read("status/")
    assert counts(told) == {"failed": 2, "skipped": 1}
    assert {one["at_least"] for one in told["statuses"]} == {False}


def test_more_than_are_counted_are_told_as_at_least_so_many(viewer, event, monkeypatch):
    monkeypatch.setattr(watching.now, "MOST_STANDING", 2)
    monkeypatch.setattr(watching, "MOST_STANDING", 2)
    for _ in range(4):
        event()
    (skipped,) = (one for one in viewer.read("status/")["statuses"] if one["events"])
    assert skipped == {"status": "skipped", "events": 2, "at_least": True}


def test_the_oldest_pending_event_is_told_with_its_age(viewer, event, settings):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
    old = event("sale.sold")
    event()
    Event.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(minutes=5))
    oldest = viewer.read("status/")["oldest_pending"]
    assert (oldest["id"], oldest["event"]) == (old.pk, "sale.sold")
    assert 300 <= oldest["age"] < 360
    assert oldest["next_attempt_at"]


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
