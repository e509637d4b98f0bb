"""One attempt: what it may begin with, and which receivers join or are held meanwhile."""

import time

import pytest
from django.db import OperationalError
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import conf
from superoffice_hooks.dispatching import attempts
from superoffice_hooks.dispatching.attempts import Attempt
from superoffice_hooks.dispatching.calling import SessionLost
from superoffice_hooks.dispatching.watching import Calling, Surroundings
from superoffice_hooks.exceptions import GiveUp
from superoffice_hooks.models import Event, Gathering, ReceiverRun, queue, transactions
from superoffice_hooks.models.claiming import take
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.models.joining import join as models_join
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.signals import event_failed, ticket_changed

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def worker():
    """Nobody dispatches what comes in."""
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
        yield


def attempt(**surroundings) -> Attempt:
    """At the only event, once it is due."""
    Event.objects.update(next_attempt_at=InSeconds(-1))
    (event,) = take(1)
    return Attempt(event, Surroundings(Calling(), **surroundings))


def outcomes() -> list[str]:
    return list(ReceiverRun.objects.order_by("pk").values_list("outcome", flat=True))


def test_a_filter_that_is_code_is_not_called_before_the_attempt_has_begun(post, connect):
    judged = []

    def fields(event):
        judged.append(event)
        return {"title"}

    connect(ticket_changed, lambda **kwargs: None, fields=fields)
    post(body())
    assert not attempt().is_plain
    assert judged == []


def test_one_that_settles_has_failed_for_the_event_itself_if_its_filter_raises(post, connect):
    def fields(event):
        raise ValueError("a mistake in the filter")

    connect(ticket_changed, lambda events, **kwargs: None, fields=fields, settle=30)
    post(body())
    assert attempt().make()
    assert outcomes() == ["failed"]
    assert not Gathering.objects.exists()


def test_a_batch_is_called_by_itself_for_an_event_that_outlived_its_process(post, connect):
    calls = []
    connect(ticket_changed, lambda events, **kwargs: calls.append(len(events)), batch=100)
    post(body())
    Event.objects.update(alone=True)
    assert attempt().make()
    assert calls == [1]
    assert not Gathering.objects.exists()


def test_an_attempt_counts_in_which_some_were_called_and_others_held(post, connect):
    calls = []

    def called(**kwargs):
        calls.append("called")

    def held(**kwargs):
        calls.append("held")

    connect(ticket_changed, called)
    connect(ticket_changed, held)
    post(body())
    assert attempt(may_call=lambda path: path != dotted_path(held)).make()
    assert calls == ["called"]
    event = Event.objects.get()
    assert (event.status, event.attempts, event.is_running) == ("pending", 1, False)
    assert attempt().make()
    assert calls == ["called", "held"]
    assert Event.objects.get().status == "succeeded"


def test_one_that_joins_only_in_a_later_attempt_keeps_no_event_in_the_queue(post, connect):
    tries = []

    def settles(events, **kwargs):
        pass

    def settles_too(events, **kwargs):
        pass

    def fails_once(**kwargs):
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    connect(ticket_changed, settles, settle=30)
    connect(ticket_changed, fails_once)
    post(body())
    assert attempt().make()
    connect(ticket_changed, settles_too, settle=30)
    assert attempt().make()
    assert sorted(outcomes()) == ["failed", "joined", "joined", "succeeded"]
    event = Event.objects.get()
    assert (event.status, event.next_attempt_at, event.finished_at) == ("waiting", None, None)


def test_one_that_has_lost_its_claim_joins_nothing(post, connect):
    connect(ticket_changed, lambda events, **kwargs: None, settle=30)
    post(body())
    lost = attempt()
    Event.objects.update(claim=5)
    assert not lost.make()
    assert outcomes() == []
    assert not Gathering.objects.exists()


def test_one_whose_filter_is_code_is_not_counted_if_it_is_held(post, connect):
    connect(ticket_changed, lambda **kwargs: None, fields=lambda event: set(event.changes))
    post(body())
    assert attempt(may_call=lambda path: False).make()
    event = Event.objects.get()
    assert (event.attempts, event.is_running, outcomes()) == (0, False, [])


def test_the_receiver_without_a_run_in_the_last_attempt_is_blamed_for_deaths(post, connect):
    def fails(**kwargs):
        raise ValueError("a mistake")

    def ends_the_process(**kwargs):
        raise AssertionError("It is called no more.")

    connect(ticket_changed, fails, fields=lambda event: set(event.changes))
    connect(ticket_changed, ends_the_process)
    post(body())
    died = ReceiverRun(event=Event.objects.get(), receiver=dotted_path(fails), attempt=3)
    died.outcome, died.started_at = "failed", timezone.now()
    died.save()
    Event.objects.update(attempts=3, deaths=5, alone=True)
    assert attempt().make()
    blamed = ReceiverRun.objects.get(receiver=dotted_path(ends_the_process))
    assert "process" in blamed.error
    event = Event.objects.get()
    assert (event.status, event.attempts, event.deaths) == ("pending", 4, 0)


def test_a_session_that_dies_in_the_commit_of_the_last_step_ends_the_claim(
    post, connect, monkeypatch
):
    def commits(receiver, event, **kwargs):
        # As the step, which was rolled back, has left it.
        event.claim = None
        raise SessionLost

    connect(ticket_changed, lambda **kwargs: None)
    monkeypatch.setattr("superoffice_hooks.dispatching.attempts.call", commits)
    post(body())
    assert not attempt().make()
    event = Event.objects.get()
    assert (event.claim, event.begun_at, event.alone, event.attempts) == (None, None, True, 1)


def test_one_that_lost_its_claim_in_the_call_announces_no_failure(post, connect):
    failed = []

    def fails(**kwargs):
        Event.objects.update(claim=5)
        raise GiveUp("never")

    connect(event_failed, lambda event, **kwargs: failed.append(event))
    connect(ticket_changed, fails, atomic=False)
    post(body())
    attempt().make()
    assert failed == []
    assert Event.objects.get().status == "pending"


def stored_as_begun(seconds_ago: float = 0) -> Event:
    """The only event, as the process has it that stored it."""
    Event.objects.update(**queue.place_begun())
    event = Event.objects.get()
    event.claimed_at = time.monotonic() - seconds_ago
    return event


@pytest.mark.parametrize("is_taken_over", [False, True])
def test_one_whose_process_stood_still_makes_sure_of_its_claim_before_it_calls(
    post, connect, is_taken_over
):
    called = []
    connect(ticket_changed, lambda **kwargs: called.append(1), atomic=False)
    post(body())
    event = stored_as_begun(conf.current().LEASE_SECONDS)
    if is_taken_over:
        Event.objects.update(claim=queue.new_token())
    assert Attempt(event).make() is not is_taken_over
    assert called == ([] if is_taken_over else [1])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_undone", [False, True])
def test_one_without_a_call_is_not_counted_also_if_its_transaction_is_undone_once(
    post, connect, monkeypatch, is_undone
):
    connect(ticket_changed, lambda events, **kwargs: None, settle=60)
    post(body())
    undone = [] if is_undone else [1]

    def join(joiners):
        models_join(joiners)
        if not undone:
            undone.append(1)
            raise OperationalError("deadlock")

    monkeypatch.setattr(attempts, "join", join)
    monkeypatch.setattr(transactions, "is_victim", lambda error: "deadlock" in str(error))
    assert Attempt(stored_as_begun()).make()
    event = Event.objects.get()
    assert (event.status, event.attempts, event.begun_at) == ("waiting", 0, None)
    assert list(event.runs.values_list("outcome", "attempt")) == [("joined", 0)]
