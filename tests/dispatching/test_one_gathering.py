"""One gathered call: its number, its claim, and what it leaves of both."""

import pytest

from superoffice_hooks.dispatching.calling import SessionLost
from superoffice_hooks.dispatching.gathered import GatheredCall
from superoffice_hooks.dispatching.joining import join_unclaimed
from superoffice_hooks.exceptions import RetryLater
from superoffice_hooks.models import Event, Gathering, ReceiverRun
from superoffice_hooks.models.claiming import Taker, take_rows
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.models.members import Members, failures, retry
from superoffice_hooks.signals import ticket_changed
from superoffice_hooks.testing import dispatch_due

from ..conftest import body
from .test_gathering import SETTLED, ticket

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_dispatched(settings):
    settings.SUPEROFFICE_HOOKS = settings.SUPEROFFICE_HOOKS | {"DISPATCH": "worker"}


def gathered() -> GatheredCall:
    """Of the only gathering, once it is due."""
    Gathering.objects.update(next_attempt_at=InSeconds(-1))
    (row,) = take_rows(Gathering, 1)
    return GatheredCall(row)


def test_an_event_that_fails_alone_has_begun_its_next_attempt(post, connect):
    def fails(events, **kwargs):
        raise ValueError("a mistake")

    connect(ticket_changed, fails, batch=3)
    post(ticket())
    dispatch_due(later=SETTLED, raises=False)
    run = ReceiverRun.objects.get(outcome="failed")
    assert (run.attempt, run.with_event) == (1, None)
    assert Event.objects.get().attempts == 1


def test_of_the_failures_of_a_settled_call_the_last_one_counts(post, connect, settings):
    def fails(events, **kwargs):
        raise ValueError("a mistake")

    settings.SUPEROFFICE_HOOKS = settings.SUPEROFFICE_HOOKS | {"MAX_ATTEMPTS": 2}
    connect(ticket_changed, fails, settle=30)
    for _ in range(2):
        post(ticket())
    dispatch_due()
    assert gathered().make()
    assert gathered().make()
    runs = ReceiverRun.objects.filter(outcome="failed")
    assert runs.count() == 3
    assert set(runs.filter(counts_in_group=True).values_list("attempt", flat=True)) == {2}
    assert set(Event.objects.values_list("status", flat=True)) == {"failed"}


def test_no_more_events_are_called_than_a_batch_has(post, connect):
    calls = []

    def takes(events, **kwargs):
        calls.append([event.primary_key for event in events])

    connect(ticket_changed, takes, batch=3)
    for number in range(5):
        post(ticket(number))
    assert join_unclaimed(Taker(Event), 9) == (5, True)
    assert gathered().make()
    assert calls == [[0, 1, 2]]
    assert Gathering.objects.get().events == 2


def test_a_batch_that_is_full_when_it_is_opened_is_due(post, connect):
    connect(ticket_changed, lambda events, **kwargs: None, batch=3)
    for number in range(3):
        post(ticket(number))
    assert join_unclaimed(Taker(Event), 9) == (3, True)
    assert len(take_rows(Gathering, 1)) == 1


def test_the_first_that_joins_during_a_call_is_the_first_of_the_next(post, connect):
    times = []

    def settles(events, **kwargs):
        for _ in range(2):
            post(ticket())
            assert join_unclaimed(Taker(Event), 1) == (1, True)
            times.append(Gathering.objects.values_list("first_event_at", "call_by").get())

    connect(ticket_changed, settles, settle=30, atomic=False)
    post(ticket())
    dispatch_due()
    first = Gathering.objects.get().first_event_at
    assert gathered().make()
    assert times[0] == times[1]
    assert times[0][0] > first
    assert Gathering.objects.values_list("first_event_at", "call_by").get() == times[0]


def test_deaths_of_a_call_count_among_its_attempts(post, connect):
    def fails(events, **kwargs):
        raise ValueError("a mistake")

    connect(ticket_changed, fails, settle=30)
    post(ticket())
    dispatch_due()
    Gathering.objects.update(attempts=4, deaths=4)
    assert gathered().make()
    assert Event.objects.get().status == "failed"


def test_a_call_that_fails_keeps_the_time_of_its_first_event(post, connect):
    def fails(events, **kwargs):
        post(ticket())
        assert join_unclaimed(Taker(Event), 1) == (1, True)
        raise ValueError("a mistake")

    connect(ticket_changed, fails, settle=30, atomic=False)
    post(ticket())
    dispatch_due()
    first = Gathering.objects.get()
    assert gathered().make()
    row = Gathering.objects.get()
    assert row.events == 2
    assert (row.first_event_at, row.call_by) == (first.first_event_at, first.call_by)


def test_a_failure_is_undone_if_another_process_has_the_gathering(post, connect):
    def fails(events, **kwargs):
        Gathering.objects.update(claim=5)
        raise ValueError("a mistake")

    connect(ticket_changed, fails, settle=30, atomic=False)
    post(ticket())
    dispatch_due()
    assert not gathered().make()
    assert ReceiverRun.objects.get().outcome == "joined"
    assert Gathering.objects.get().claim == 5


def test_a_half_that_is_to_wait_is_halved_as_long_as_the_other_is_not_called(post, connect):
    calls = []

    def takes(events, **kwargs):
        calls.append([event.primary_key for event in events])
        if 1 in calls[-1]:
            raise ValueError("all four") if len(events) == 4 else RetryLater(30)

    connect(ticket_changed, takes, batch=4)
    for number in (1, 2, 3, 4):
        post(ticket(number))
    assert join_unclaimed(Taker(Event), 9) == (4, True)
    assert gathered().make()
    assert calls == [[1, 2, 3, 4], [1, 2], [1], [2], [3, 4]]
    waits = Event.objects.exclude(status="succeeded").get()
    assert (waits.primary_key, waits.status) == (1, "pending")


def test_events_of_a_batch_that_ended_its_process_are_called_alone(post, connect):
    connect(ticket_changed, lambda events, **kwargs: None, batch=3)
    for number in range(3):
        post(ticket(number))
    assert join_unclaimed(Taker(Event), 9) == (3, True)
    # The third has joined since the call began.
    called = list(ReceiverRun.objects.order_by("pk").values_list("pk", flat=True))[1]
    Gathering.objects.update(attempts=1, alone=True, frozen_to=called)
    assert gathered().make()
    events = Event.objects.order_by("pk").values_list("status", "alone")
    assert list(events) == [("pending", True), ("pending", True), ("waiting", False)]


def test_an_event_that_waits_for_another_call_too_is_not_finished_by_one(post, connect):
    def settles(events, **kwargs):
        pass

    def settles_too(events, **kwargs):
        pass

    connect(ticket_changed, settles, settle=30)
    connect(ticket_changed, settles_too, settle=30)
    post(ticket())
    dispatch_due()
    before = Event.objects.get()
    Gathering.objects.update(next_attempt_at=InSeconds(-1))
    row, _other = take_rows(Gathering, 2)
    assert GatheredCall(row).make()
    event = Event.objects.get()
    assert (event.status, event.finished_at) == ("waiting", None)
    assert event.attempts == before.attempts


def test_a_failure_of_the_event_itself_is_none_of_the_call(post, connect):
    connect(ticket_changed, lambda events, **kwargs: None, settle=30)
    post(ticket())
    dispatch_due()
    joined = ReceiverRun.objects.get()
    alone = ReceiverRun(event=joined.event, receiver=joined.receiver, attempt=1, outcome="failed")
    alone.started_at = joined.started_at
    alone.save()
    Gathering.objects.update(attempts=2)
    members = Members(Gathering.objects.get(), {joined.event_id: joined.pk})
    assert failures(members, joined.receiver) == 0
    ReceiverRun.objects.filter(pk=alone.pk).update(with_event=joined.event_id)
    assert failures(members, joined.receiver) == 1


def test_an_event_that_is_in_the_queue_is_not_put_off_by_a_call(post):
    post(ticket())
    before = Event.objects.values("next_attempt_at", "attempts", "status").get()
    retry({Event.objects.get().pk: ("pending", 0)}, 3600)
    assert Event.objects.values("next_attempt_at", "attempts", "status").get() == before


def test_a_session_that_dies_in_the_commit_of_a_call_ends_the_claim(post, connect, monkeypatch):
    def commits(receiver, event, **kwargs):
        # As the step, which was rolled back, has left it.
        call.gathering.claim = None
        raise SessionLost

    connect(ticket_changed, lambda events, **kwargs: None, settle=30)
    post(body())
    dispatch_due()
    call = gathered()
    monkeypatch.setattr("superoffice_hooks.dispatching.gathered.call", commits)
    assert not call.make()
    row = Gathering.objects.get()
    assert (row.claim, row.begun_at, row.alone, row.attempts) == (None, None, True, 1)
