"""ORDERED: the events of one record, one at a time, in the order in which they occurred."""

import json
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch_due
from superoffice_hooks.models import Event

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db

ORDERED = {"SECRETS": [SECRET], "ORDERED": True, "MAX_ATTEMPTS": 2, "RETRY_DELAYS": [60]}


def at(minute: int, record: int = 1, **values: Any) -> bytes:
    """A ticket.changed that occurred at this minute."""
    return body(PrimaryKey=record, Timestamp=f"2026-01-01T12:{minute:02}:00Z", **values)


@pytest.fixture
def seen(connect) -> list[tuple[int, int]]:
    """Record and minute of each event a receiver was called for."""
    calls: list[tuple[int, int]] = []

    def see(event, **kwargs):
        calls.append((event.primary_key, event.occurred_at.minute))
        if event.payload.get("Fails"):
            raise ValueError

    connect(signals.ticket_changed, see)
    return calls


def test_a_worker_takes_them_as_they_occurred_not_as_they_came(post, seen):
    with override_settings(SUPEROFFICE_HOOKS={**ORDERED, "DISPATCH": "worker"}):
        for minute in (3, 1, 2):
            post(at(minute))
        assert len(list(dispatch_due(10))) == 3
    assert seen == [(1, 1), (1, 2), (1, 3)]


def test_one_in_retry_holds_back_the_later_ones_of_its_record_alone(post, seen):
    with override_settings(SUPEROFFICE_HOOKS=ORDERED):
        post(at(1, Fails=True))
        post(at(2))
        post(at(2, record=2))
        post(at(3))
        assert seen == [(1, 1), (2, 2)]
        assert list(dispatch_due(10)) == []
        Event.objects.filter(attempts=1).update(next_attempt_at=timezone.now())
        list(dispatch_due(10))
    assert seen == [(1, 1), (2, 2), (1, 1), (1, 2), (1, 3)]
    assert sorted(Event.objects.values_list("status", flat=True)) == [
        "failed",
        "succeeded",
        "succeeded",
        "succeeded",
    ]


def test_one_that_fails_holds_back_those_that_were_claimed_with_it(post, seen):
    with override_settings(SUPEROFFICE_HOOKS={**ORDERED, "DISPATCH": "worker"}):
        post(at(1, Fails=True))
        post(at(2))
        assert len(list(dispatch_due(10))) == 1
    assert seen == [(1, 1)]
    waiting = Event.objects.get(attempts=0)
    assert (waiting.status, waiting.claim) == ("pending", None)


def test_what_waits_has_used_up_no_attempt(post, seen):
    with override_settings(SUPEROFFICE_HOOKS=ORDERED):
        post(at(1, Fails=True))
        post(at(2))
    waiting = Event.objects.get(attempts=0)
    assert (waiting.status, waiting.claim) == ("pending", None)


def test_an_earlier_one_that_comes_late_is_dispatched_at_once(post, seen):
    with override_settings(SUPEROFFICE_HOOKS=ORDERED):
        post(at(2))
        post(at(1))
    assert seen == [(1, 2), (1, 1)]


def test_without_ordered_nobody_waits(post, seen):
    with override_settings(SUPEROFFICE_HOOKS={**ORDERED, "ORDERED": False}):
        post(at(1, Fails=True))
        post(at(2))
    assert seen == [(1, 1), (1, 2)]


def test_other_tenants_and_events_without_a_record_do_not_wait(post, seen, connect):
    others = []
    connect(signals.on("contact.changed"), lambda event, **kwargs: others.append(event.tenant))
    with override_settings(SUPEROFFICE_HOOKS=ORDERED):
        post(at(1, Fails=True))
        post(at(2, ContextIdentifier="Cust2"))
        post(body("contact.changed", PrimaryKey=None, ContextIdentifier="a"))
        post(body("contact.changed", PrimaryKey=None, ContextIdentifier="b"))
    assert seen == [(1, 1), (1, 2)]
    assert others == ["a", "b"]


def test_at_the_same_moment_and_without_one_the_order_of_arrival_counts(post, seen, connect):
    calls = []
    connect(signals.any_event, lambda event, **kwargs: calls.append(event.payload["Nth"]))
    with override_settings(SUPEROFFICE_HOOKS={**ORDERED, "DISPATCH": "worker"}):
        for nth in range(3):
            post(json.dumps({"Event": "a.b", "PrimaryKey": 1, "Nth": nth}).encode())
        Event.objects.update(received_at=timezone.now())
        list(dispatch_due(10))
    assert calls == [0, 1, 2]


def test_a_newer_event_of_the_record_supersedes(post):
    post(at(2))
    post(at(1))
    post(at(3, record=2))
    superseded = {
        (e.primary_key, e.occurred_at.minute): e.is_superseded for e in Event.objects.all()
    }
    assert superseded == {(1, 2): False, (1, 1): True, (2, 3): False}
