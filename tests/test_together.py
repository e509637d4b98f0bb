"""Steps of the lifecycle for several events at once."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from superoffice_hooks.models import Event
from superoffice_hooks.models.together import Together

from .conftest import body

pytestmark = pytest.mark.django_db

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def events(post) -> list[Event]:
    """Four events, from the oldest on; nobody listens, so they are skipped."""
    for _ in range(4):
        post(body())
    return list(Event.objects.order_by("pk"))


def statuses() -> list[tuple[str, int]]:
    return list(Event.objects.order_by("pk").values_list("status", "attempts"))


def test_those_that_nobody_holds_are_claimed(events):
    soon = timezone.now() + A_MINUTE
    Event.objects.filter(pk=events[1].pk).update(status="running", claimed_until=soon)
    Event.objects.filter(pk=events[2].pk).update(status="failed", attempts=5)
    events = list(Event.objects.order_by("pk"))
    together = Together(events[:3])
    assert list(together.claimed) == [events[0].pk, events[2].pk]
    assert statuses() == [("running", 2), ("running", 1), ("running", 6), ("skipped", 1)]
    assert [(event.status, event.attempts) for event in events] == statuses()
    for stored in Event.objects.filter(pk__in=together.claimed):
        assert stored.claimed_until == together.claimed[stored.pk].claimed_until
        assert together.claimed[stored.pk].is_claimed


def test_nobody_claims_them_a_second_time(events):
    Together(events)
    assert Together(list(Event.objects.all())).claimed == {}


def test_their_ends_are_written_down(events):
    together = Together(events)
    together.conclude(Event.Status.SUCCEEDED, [events[0].pk, events[1].pk])
    together.conclude(Event.Status.FAILED, [events[2].pk])
    assert [status for status, _ in statuses()] == ["succeeded", "succeeded", "failed", "running"]
    ended = Event.objects.exclude(status="running")
    assert set(ended.values_list("claimed_until", "next_attempt_at")) == {(None, None)}
    assert all(event.finished_at > event.received_at for event in ended)


def test_a_claim_that_somebody_else_has_by_now_is_theirs(events):
    together = Together(events)
    later = timezone.now() + 9 * A_MINUTE
    Event.objects.filter(pk=events[0].pk).update(claimed_until=later)
    together.conclude(Event.Status.SUCCEEDED, [events[0].pk])
    together.put_back([events[0].pk])
    stored = Event.objects.get(pk=events[0].pk)
    assert (stored.status, stored.claimed_until) == ("running", later)


def test_what_is_put_back_is_as_it_was(events):
    Event.objects.filter(pk=events[1].pk).update(
        status="pending", next_attempt_at=timezone.now() + A_MINUTE
    )
    Event.objects.filter(pk=events[2].pk).update(status="handled", handled_by="anna")
    before = list(Event.objects.order_by("pk").values())
    together = Together(list(Event.objects.all()))
    together.put_back(together.claimed)
    assert list(Event.objects.order_by("pk").values()) == before


def test_what_was_abandoned_is_due_again(events):
    past = timezone.now() - A_MINUTE
    Event.objects.filter(pk=events[0].pk).update(status="running", claimed_until=past)
    together = Together([Event.objects.get(pk=events[0].pk)])
    together.put_back(together.claimed)
    assert Event.objects.due().get() == events[0]
    assert Event.objects.get(pk=events[0].pk).attempts == 1


@pytest.mark.skipif(not connection.features.has_select_for_update, reason="has no locks on rows")
@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_has_locked_for_a_moment_is_waited_for(events):
    locked = threading.Event()

    def look_into_it() -> None:
        try:
            with transaction.atomic():
                list(Event.objects.filter(pk=events[1].pk).select_for_update())
                locked.set()
                time.sleep(0.3)
        finally:
            connection.close()

    thread = threading.Thread(target=look_into_it)
    thread.start()
    assert locked.wait(10)
    together = Together(events)
    thread.join()
    assert list(together.claimed) == [event.pk for event in events]
