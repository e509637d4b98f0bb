"""What fails is tried again, by whoever has not succeeded yet, until it is given up."""

import logging
import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatching import dispatch, dispatch_due, dispatch_now
from superoffice_hooks.exceptions import GiveUp, RetryLater
from superoffice_hooks.models import Event, ReceiverRun

from .conftest import SECRET, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_attempts():
    hooks = {"SECRETS": [SECRET], "MAX_ATTEMPTS": 3, "RETRY_DELAYS": [10, 1000]}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield


def make_due() -> Event:
    """Let the time until the next attempt pass."""
    Event.objects.update(next_attempt_at=timezone.now())
    return Event.objects.get()


def next_attempt() -> Event:
    make_due()
    list(dispatch_due(1))
    return Event.objects.get()


def seconds_until_due() -> float:
    due_at = Event.objects.get().next_attempt_at
    assert due_at
    return (due_at - timezone.now()).total_seconds()


class Flaky:
    """A receiver that raises these, one a call, and then succeeds."""

    def __init__(self, *errors: BaseException, name: str = "flaky") -> None:
        self.__qualname__ = name
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, **kwargs: object) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def test_a_failed_event_is_due_again_after_a_delay_that_grows(post, connect):
    connect(signals.ticket_changed, Flaky(ValueError(), ValueError(), ValueError()))
    assert post(body()).status_code == 200
    event = Event.objects.get()
    assert (event.status, event.attempts, event.claimed_until) == ("pending", 1, None)
    assert 9 < seconds_until_due() < 11.1
    event = next_attempt()
    assert (event.status, event.attempts) == ("pending", 2)
    assert 999 < seconds_until_due() < 1101


def test_nothing_is_tried_before_it_is_due(post, connect):
    flaky = connect(signals.ticket_changed, Flaky(ValueError()))
    post(body())
    assert list(dispatch_due(10)) == []
    assert flaky.calls == 1


def test_a_retry_calls_only_who_has_not_succeeded(post, connect):
    flaky = connect(signals.ticket_changed, Flaky(ValueError()))
    steady = connect(signals.any_event, Flaky(name="steady"))
    post(body())
    event = next_attempt()
    assert event.status == "succeeded"
    assert (flaky.calls, steady.calls) == (2, 1)


def test_after_the_last_attempt_the_event_has_failed_and_says_so(post, connect, caplog):
    told = []
    connect(signals.event_failed, lambda event, **kwargs: told.append(event.status))
    connect(signals.ticket_changed, Flaky(*[ValueError()] * 3))
    post(body())
    next_attempt()
    assert told == []
    event = next_attempt()
    assert (event.status, event.attempts, event.next_attempt_at) == ("failed", 3, None)
    assert told == ["failed"]
    assert [r.levelno for r in caplog.records if "failed for good" in r.message] == [logging.ERROR]


def test_retry_later_is_not_called_before_it_wants_to(post, connect):
    connect(signals.ticket_changed, Flaky(RetryLater(500)))
    post(body())
    assert 499 < seconds_until_due() < 551
    run = ReceiverRun.objects.get()
    assert (run.outcome, run.error) == (
        "postponed",
        "superoffice_hooks.exceptions.RetryLater: again in 500 seconds",
    )
    assert next_attempt().status == "succeeded"


def test_giving_up_fails_the_event_at_once(post, connect):
    flaky = connect(signals.ticket_changed, Flaky(GiveUp("no such customer")))
    post(body())
    event = Event.objects.get()
    assert (event.status, event.attempts) == ("failed", 1)
    assert event.runs.get().outcome == "gave_up"
    assert "no such customer" in event.runs.get().error
    assert flaky.calls == 1


def test_giving_up_does_not_keep_others_from_their_attempts(post, connect):
    def gives_up(**kwargs):
        raise GiveUp("no use")

    connect(signals.any_event, gives_up)
    flaky = connect(signals.ticket_changed, Flaky(ValueError()))
    post(body())
    assert Event.objects.get().status == "pending"
    event = next_attempt()
    assert event.status == "failed"
    assert flaky.calls == 2
    assert event.runs.filter(outcome="gave_up").count() == 1


def test_an_event_whose_process_dies_in_every_attempt_is_given_up(post, connect):
    flaky = connect(signals.ticket_changed, Flaky())
    post(body())
    abandoned = timezone.now() - timedelta(seconds=1)
    ReceiverRun.objects.all().delete()
    Event.objects.update(status="running", attempts=3, claimed_until=abandoned)
    (event,) = dispatch_due(1)
    assert event.status == "failed"
    assert flaky.calls == 1


class TestRedeliveries:
    """SuperOffice, or an administrator, sends an event again."""

    def test_one_of_a_failed_event_gives_it_another_attempt(self, post, connect):
        connect(signals.ticket_changed, Flaky(GiveUp("not yet")))
        sent = body()
        post(sent)
        ReceiverRun.objects.all().delete()
        post(sent)
        event = Event.objects.get()
        assert event.status == "succeeded"
        assert event.redeliveries.count() == 1

    def test_one_of_an_abandoned_event_takes_it_over(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky(SystemExit(1)))
        sent = body()
        post(sent)
        Event.objects.update(status="running", claimed_until=timezone.now())
        post(sent)
        assert Event.objects.get().status == "succeeded"
        assert flaky.calls == 2

    def test_one_of_an_event_in_work_is_recorded_and_no_more(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky())
        sent = body()
        post(sent)
        Event.objects.update(status="running", claimed_until=timezone.now() + timedelta(hours=1))
        post(sent)
        assert flaky.calls == 1
        assert Event.objects.get().redeliveries.count() == 1

    def test_one_of_an_event_that_waits_for_its_next_attempt_does_not_hurry_it(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky(ValueError()))
        sent = body()
        post(sent)
        post(sent)
        assert flaky.calls == 1


@pytest.mark.django_db(transaction=True)
class TestWithoutATransaction:
    """``atomic=False``: at least once, and nobody else's transaction."""

    def test_it_runs_outside_of_any_transaction(self, post, connect):
        inside = []
        connect(
            signals.ticket_changed,
            lambda **kwargs: inside.append(connection.in_atomic_block),
            atomic=False,
        )
        post(body())
        assert inside == [False]
        assert ReceiverRun.objects.get().outcome == "succeeded"

    def test_what_it_did_before_it_raised_stays(self, post, connect):
        def half(**kwargs):
            Group.objects.create(name="half done")
            raise ValueError

        connect(signals.ticket_changed, half, atomic=False)
        post(body())
        assert Group.objects.count() == 1
        assert ReceiverRun.objects.get().outcome == "failed"

    def test_its_success_is_recorded_once_whoever_is_first(self, post, connect):
        post(body())
        connect(signals.ticket_changed, Flaky(), atomic=False)
        Event.objects.update(status="running", claimed_until=timezone.now())
        overtaken, faster = Event.objects.get(), Event.objects.get()
        assert faster.claim()
        dispatch(faster)
        dispatch(overtaken)
        assert Event.objects.get().status == "succeeded"
        assert ReceiverRun.objects.count() == 1


class TestModes:
    """Who calls the receivers."""

    def test_a_worker_mode_event_waits_for_the_worker(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky())
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
            post(body())
            event = Event.objects.get()
            assert (event.status, event.attempts, flaky.calls) == ("pending", 0, 0)
            assert [event.status for event in dispatch_due(5)] == ["succeeded"]
        assert flaky.calls == 1

    def test_dispatching_an_event_that_somebody_else_claimed_does_nothing(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky())
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
            post(body())
        late = Event.objects.get()
        assert Event.objects.get().claim()
        dispatch_now(late)
        assert flaky.calls == 0

    def test_what_waited_longer_than_its_lease_is_left_to_whoever_has_it_now(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky())
        worker = {"SECRETS": [SECRET], "DISPATCH": "worker"}
        with override_settings(SUPEROFFICE_HOOKS={**worker, "LEASE_SECONDS": 1}):
            for number in range(2):
                post(body(PrimaryKey=number))
            events = dispatch_due(2)
            next(events)
        time.sleep(1.1)
        with override_settings(SUPEROFFICE_HOOKS=worker):
            assert Event.objects.get(status="running").claim()
            assert list(events) == []
        assert flaky.calls == 1

    def test_closing_the_generator_gives_back_what_was_claimed(self, post, connect):
        connect(signals.ticket_changed, Flaky())
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
            for number in range(5):
                post(body(PrimaryKey=number))
            events = dispatch_due(5)
            next(events)
            assert Event.objects.filter(status="running").count() == 4
            events.close()
        assert Event.objects.filter(status="pending", attempts=0).count() == 4
        assert Event.objects.filter(status="succeeded").count() == 1


def test_an_event_that_was_dispatched_often_enough_is_not_given_up_if_nothing_is_left_to_do(
    post, connect
):
    """As when a process dies that replays an event which had succeeded."""
    calls = []
    connect(signals.ticket_changed, lambda **kwargs: calls.append(1))
    post(body())
    past = timezone.now() - timedelta(seconds=1)
    Event.objects.update(status="running", claimed_until=past, attempts=3)
    list(dispatch_due(1))
    event = Event.objects.get()
    assert (event.status, event.attempts, calls) == ("succeeded", 4, [1])
