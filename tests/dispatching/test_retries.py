"""What fails is tried again, by whoever has not succeeded yet, until it is given up."""

import logging

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch, dispatch_due, dispatch_now
from superoffice_hooks.exceptions import GiveUp, RetryLater
from superoffice_hooks.models import Event, ReceiverRun, steps
from superoffice_hooks.models.claiming import take

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db

WORKER = override_settings(
    SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker", "MAX_ATTEMPTS": 3}
)


def lapse() -> None:
    """Let the leases of all claims end."""
    Event.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())


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
    assert (event.status, event.attempts, event.claim) == ("pending", 1, None)
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
    [last] = [r for r in caplog.records if "failed for good" in r.message]
    assert last.levelno == logging.WARNING
    assert last.message.endswith("failed for good at attempt 3: no attempt is left")


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
    deadly = connect(signals.ticket_changed, Flaky(name="deadly"))
    other = connect(signals.any_event, Flaky(name="other"))
    with WORKER:
        post(body())
    for death in range(4):
        (event,) = take(1)
        assert (event.attempts, event.deaths) == (death, max(death - 1, 0))
        assert steps.begin(event, calling="", alone=event.alone).apply()
        lapse()
    (event,) = dispatch_due(1)
    assert event.status == "failed"
    assert (deadly.calls, other.calls) == (0, 1)
    gave_up = event.runs.get(receiver__endswith="deadly")
    assert gave_up.outcome == "gave_up"
    assert "ended 3 times" in gave_up.error


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

    def test_one_of_an_event_that_nobody_has_begun_makes_it_due_at_once(self, post, connect):
        """Its claim may be that of a process that is gone."""
        flaky = connect(signals.ticket_changed, Flaky())
        sent = body()
        with WORKER:
            post(sent)
        assert take(1)
        post(sent)
        assert Event.objects.get().status == "succeeded"
        assert flaky.calls == 1

    def test_one_of_an_event_that_is_begun_is_recorded_and_no_more(self, post, connect):
        flaky = connect(signals.ticket_changed, Flaky())
        sent = body()
        with WORKER:
            post(sent)
        (event,) = take(1)
        assert steps.begin(event, calling="", alone=False).apply()
        post(sent)
        assert flaky.calls == 0
        assert Event.objects.get().redeliveries.count() == 1

    def test_one_of_an_event_that_was_stored_as_begun_calls_nobody_meanwhile(self, post, connect):
        """The event is not the redelivery's, whose thread would have called its receivers."""
        sent = body()
        calls = []

        def sends_it_again(**kwargs):
            calls.append(1)
            if len(calls) == 1:
                assert post(sent).status_code == 200

        connect(signals.ticket_changed, sends_it_again, atomic=False)
        post(sent)
        assert calls == [1]
        event = Event.objects.get()
        assert (event.status, event.attempts, event.redeliveries.count()) == ("succeeded", 1, 1)

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
        connect(signals.ticket_changed, Flaky(), atomic=False)
        with WORKER:
            post(body())
        (overtaken,) = take(1)
        lapse()
        (faster,) = take(1)
        assert dispatch(faster)
        assert not dispatch(overtaken)
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
        with WORKER:
            post(body())
        late = Event.objects.get()
        assert take(1)
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
        lapse()
        assert take(1)
        with override_settings(SUPEROFFICE_HOOKS=worker):
            assert [event.status for event in events] == ["pending"]
        assert flaky.calls == 1

    def test_closing_the_generator_gives_back_what_was_claimed(self, post, connect):
        connect(signals.ticket_changed, Flaky())
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
            for number in range(5):
                post(body(PrimaryKey=number))
            events = dispatch_due(5)
            next(events)
            assert Event.objects.exclude(claim=None).count() == 4
            events.close()
        assert Event.objects.filter(status="pending", attempts=0, claim=None).count() == 4
        assert Event.objects.due().count() == 4
        assert Event.objects.filter(status="succeeded").count() == 1
