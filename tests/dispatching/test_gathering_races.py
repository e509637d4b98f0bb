"""Gathered calls and other processes: threads with connections of their own stand for them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatcher.lanes import Lanes
from superoffice_hooks.dispatching.gathered import GatheredCall
from superoffice_hooks.dispatching.in_thread import dispatch
from superoffice_hooks.dispatching.joining import join_unclaimed, join_what_only_waits
from superoffice_hooks.exceptions import Failed, GiveUp, RetryLater
from superoffice_hooks.models import Dispatcher, Event, Gathering, ReceiverRun, members, rounds
from superoffice_hooks.models import joining as joins
from superoffice_hooks.models.claiming import Taker, take, take_rows
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET
from .test_gathering import outcomes, statuses, ticket

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="On SQLite one transaction writes at a time."
    ),
]

WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})
LONG = 20


@pytest.fixture(params=["read committed", "repeatable read"])
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """The isolation level of all connections."""
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    if request.param == "repeatable read":
        options["isolation_level"] = request.param
        if connection.vendor == "postgresql":
            from psycopg import IsolationLevel

            options["isolation_level"] = IsolationLevel.REPEATABLE_READ
    connection.close()
    yield request.param
    options.clear()
    options.update(before)
    connection.close()


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    with WORKER:
        yield


class Process(threading.Thread):
    """What another process does; ``join`` raises what it raised."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def ends(self) -> None:
        self.join(LONG)
        assert not self.is_alive()
        if self.error:
            raise self.error


@contextmanager
def pausing(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Iterator["Pause"]:
    """Let the first thread that calls a function wait, once it has done its work."""
    pause = Pause(getattr(module, name))
    monkeypatch.setattr(module, name, pause)
    yield pause
    pause.go_on.set()


class Pause:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._first = threading.Lock()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._function(*args, **kwargs)
        if self._first.acquire(blocking=False):
            self.reached.set()
            assert self.go_on.wait(LONG)
        return result


def due_gatherings() -> list[Gathering]:
    Gathering.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
    return take_rows(Gathering, 10)


def is_accounted_for() -> bool:
    """Nothing waits for what does not come."""
    waiting = Event.objects.filter(status="waiting").exclude(runs__outcome="joined")
    joined = ReceiverRun.objects.filter(outcome="joined")
    orphans = joined.exclude(gathering__in=Gathering.objects.all())
    return not waiting.exists() and not orphans.exists()


@pytest.mark.parametrize("error", [None, GiveUp("no")])
def test_two_gatherings_of_an_event_conclude_at_once(level, post, connect, monkeypatch, error):
    def one_receiver(**kwargs):
        if error:
            raise error

    def other(**kwargs):
        one_receiver()

    connect(signals.ticket_changed, one_receiver, settle=30)
    connect(signals.ticket_changed, other, settle=30)
    post(ticket())
    post(ticket())
    dispatch_due()
    assert statuses() == ["waiting"] * 2
    one, two = due_gatherings()
    with pausing(monkeypatch, members, "finish") as pause:
        first = Process(GatheredCall(one).make)
        assert pause.reached.wait(LONG)
        second = Process(GatheredCall(two).make)
        second.join(0.5)
        assert second.is_alive()
        pause.go_on.set()
        first.ends()
        second.ends()
    assert is_accounted_for()
    assert statuses() == ["failed" if error else "succeeded"] * 2
    assert not Gathering.objects.exists()


@pytest.mark.parametrize("error", [None, GiveUp("no")])
def test_an_attempt_and_a_gathering_of_its_event_conclude_at_once(
    level, post, connect, monkeypatch, error
):
    def settles(**kwargs):
        if error:
            raise error

    connect(signals.ticket_changed, settles, settle=30)

    def fails_once(event, **kwargs):
        if event.attempts < 2:
            raise ValueError("not yet")

    connect(signals.ticket_changed, fails_once)
    post(ticket())
    dispatch_due(raises=False)
    assert statuses() == ["pending"]
    (gathering,) = due_gatherings()
    Event.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
    (event,) = take(1)
    with pausing(monkeypatch, members, "finish") as pause:
        first = Process(GatheredCall(gathering).make)
        assert pause.reached.wait(LONG)
        second = Process(lambda: dispatch(event))
        second.join(0.5)
        assert second.is_alive()
        pause.go_on.set()
        first.ends()
        second.ends()
    assert statuses() == ["failed" if error else "succeeded"]
    assert not Gathering.objects.exists()


@pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 9}])
def test_one_joins_while_the_gathering_ends(level, post, connect, monkeypatch, options):
    connect(signals.ticket_changed, lambda **kwargs: None, **options)
    post(ticket())
    dispatch_due()
    (gathering,) = due_gatherings()
    post(ticket())
    post(ticket())
    first, second = take(1), take(1)
    with pausing(monkeypatch, rounds, "note_called") as pause:
        ends = Process(GatheredCall(gathering).make)
        assert pause.reached.wait(LONG)
        joiners = [Process(partial(join_what_only_waits, [of])) for of in (first, second)]
        joiners[0].join(0.5)
        assert joiners[0].is_alive()
        pause.go_on.set()
        ends.ends()
        for joiner in joiners:
            joiner.ends()
    # One that met a lock may have to be dispatched by itself.
    for event in [*first, *second]:
        dispatch(event)
    assert is_accounted_for()
    assert statuses() == ["succeeded", "waiting", "waiting"]
    assert Gathering.objects.get().events == 2
    dispatch_due(later=timedelta(minutes=1))
    assert statuses() == ["succeeded"] * 3


@pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 9}])
def test_one_joins_while_the_call_begins(level, post, connect, monkeypatch, options):
    calls = []
    connect(signals.ticket_changed, lambda events, **kwargs: calls.append(len(events)), **options)
    post(ticket())
    dispatch_due()
    (gathering,) = due_gatherings()
    post(ticket())
    late = take(1)
    with pausing(monkeypatch, joins, "_open") as pause:
        joiner = Process(lambda: join_what_only_waits([late]))
        assert pause.reached.wait(LONG)
        call = Process(GatheredCall(gathering).make)
        call.join(0.5)
        assert call.is_alive()
        pause.go_on.set()
        joiner.ends()
        call.ends()
    assert is_accounted_for()
    assert (calls, statuses()) == ([2], ["succeeded"] * 2)
    assert not Gathering.objects.exists()


def test_one_that_was_slow_to_begin_lets_another_have_the_event_join(
    level, post, connect, monkeypatch
):
    connect(signals.ticket_changed, lambda **kwargs: None, settle=30)
    post(ticket())
    slow = take(1)
    Event.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    with pausing(monkeypatch, joins, "_open") as pause:
        joiner = Process(partial(join_unclaimed, Taker(Event), 10))
        assert pause.reached.wait(LONG)
        assert take(1) == []
        late = Process(partial(dispatch, slow[0]))
        late.join(0.5)
        assert late.is_alive()
        pause.go_on.set()
        joiner.ends()
        late.ends()
    assert (statuses(), outcomes(), Gathering.objects.get().events) == (["waiting"], ["joined"], 1)
    dispatch_due(later=timedelta(minutes=1))
    assert statuses() == ["succeeded"]


def wait_until_finished() -> None:
    end = time.monotonic() + LONG
    unfinished = Event.objects.filter(status__in=["pending", "waiting"])
    while unfinished.exists() and time.monotonic() < end:
        time.sleep(0.05)


def test_lanes_gather(level, post, connect):
    """Many threads at once, and what another receiver does is its own."""

    def settles(events, **kwargs):
        Group.objects.bulk_create(Group(name=f"settled {event.pk}") for event in events)

    def takes(events, **kwargs):
        Group.objects.bulk_create(Group(name=f"taken {event.pk}") for event in events)
        if any(event.primary_key == 3 for event in events):
            raise Failed({e: GiveUp("three") for e in events if e.primary_key == 3})

    def fails(event, **kwargs):
        if event.primary_key == 2 and event.attempts == 1:
            raise RetryLater(0.01)

    connect(signals.ticket_changed, settles, settle=0.05)
    connect(signals.ticket_changed, takes, batch=4, within=0.05)
    connect(signals.sale_changed, settles, settle=0.05)
    connect(signals.ticket_changed, fails)
    lanes = Lanes(Dispatcher.Kind.COMMAND, 3, longest_pause=0.05)
    lanes.start()
    try:
        for number in range(40):
            post(ticket(number % 5, name="sale.changed" if number % 4 == 0 else "ticket.changed"))
        wait_until_finished()
    finally:
        lanes.stop(LONG)
    events = Event.objects.all()
    threes = events.filter(name="ticket.changed", primary_key=3)
    assert set(threes.values_list("status", flat=True)) == {"failed"}
    assert set(events.difference(threes).values_list("status", flat=True)) == {"succeeded"}
    assert Group.objects.filter(name__startswith="settled").count() == 40
    # Alone, what a receiver did that named its only event is undone.
    assert Group.objects.filter(name__startswith="taken").count() <= 30
    assert is_accounted_for()
    assert not Gathering.objects.exists()


def test_two_open_one_gathering(level, post, connect, monkeypatch):
    connect(signals.ticket_changed, lambda **kwargs: None, settle=30)
    post(ticket())
    post(ticket())
    first, second = take(1), take(1)
    with pausing(monkeypatch, joins, "_open") as pause:
        joiners = [Process(lambda: join_what_only_waits([first]))]
        assert pause.reached.wait(LONG)
        joiners.append(Process(lambda: join_what_only_waits([second])))
        joiners[1].join(0.5)
        assert joiners[1].is_alive()
        pause.go_on.set()
        for joiner in joiners:
            joiner.ends()
    assert (statuses(), Gathering.objects.get().events) == (["waiting"] * 2, 2)
    assert is_accounted_for()


@pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 2}])
def test_events_are_deleted_during_the_call(level, post, connect, options):
    def deletes(events, **kwargs):
        Process(Event.objects.filter(pk=events[0].pk).delete).ends()

    connect(signals.ticket_changed, deletes, **options)
    post(ticket())
    post(ticket())
    dispatch_due()
    dispatch_due(later=timedelta(minutes=1))
    assert statuses() == ["succeeded"]
    assert is_accounted_for()


@pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 4}])
@pytest.mark.parametrize("atomic", [True, False])
def test_all_outcomes_are_written_down(level, post, connect, options, atomic):
    calls = []

    def fails_at_first(events, **kwargs):
        calls.append(len(events))
        Group.objects.create(name=str(len(calls)))
        if len(calls) == 1:
            raise ValueError("not yet")

    connect(signals.ticket_changed, fails_at_first, atomic=atomic, **options)
    for _ in range(4):
        post(ticket())
    for _ in range(3):
        dispatch_due(later=timedelta(hours=1), raises=False)
    assert calls == ([4, 4] if "settle" in options else [4, 2, 2])
    assert statuses() == ["succeeded"] * 4
    assert set(outcomes()) <= {"succeeded", "failed"}
    assert not Gathering.objects.exists()


def test_a_process_that_ends_between_the_call_and_its_outcome(level, post, connect, monkeypatch):
    """Under REPEATABLE READ these are two commits."""
    calls = []
    connect(signals.ticket_changed, lambda events, **kwargs: calls.append(len(events)), settle=30)
    post(ticket())
    dispatch_due()
    (gathering,) = due_gatherings()
    call = GatheredCall(gathering)

    def ends(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(call._conclusion, "conclude", ends)
    monkeypatch.setattr(call, "_give_back", lambda seconds: None)
    with pytest.raises(KeyboardInterrupt):
        call.make()
    assert outcomes() == (["joined"] if level == "read committed" else ["succeeded"])
    assert statuses() == ["waiting"]
    (again,) = due_gatherings()
    GatheredCall(again).make()
    assert statuses() == ["succeeded"]
    assert calls == ([1, 1] if level == "read committed" else [1])
    assert not Gathering.objects.exists()
