"""The database undoes our part of a call for the sake of another transaction: nobody is blamed."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, connections
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.dispatching.gathered import GatheredCall
from superoffice_hooks.models import (
    Event,
    FailureGroup,
    Gathering,
    ReceiverRun,
    joining,
    members,
    queue,
    rounds,
)
from superoffice_hooks.models.claiming import take, take_rows
from superoffice_hooks.models.transactions import in_own_transaction
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET
from .test_gathering import outcomes, statuses, ticket

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(minutes=5)
LONG = 20
TIMES = [1, 6]
"""The second is one more than a transaction is tried, so its event comes again."""

WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    with WORKER:
        yield


def deadlock() -> OperationalError:
    return OperationalError(1213, "Deadlock found when trying to get lock")


@pytest.fixture
def undo(monkeypatch) -> Callable[..., list[str]]:
    """``undo(module, name, times)``: so many of its calls end in a deadlock."""
    undone: list[str] = []

    def begin(module: Any, name: str, times: int) -> list[str]:
        function = getattr(module, name)

        def undoing(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if len(undone) < times:
                undone.append(name)
                raise deadlock()
            return result

        monkeypatch.setattr(module, name, undoing)
        return undone

    return begin


@pytest.fixture
def calls() -> list[int]:
    return []


@pytest.fixture(params=[{"settle": 30}, {"batch": 2}, {"batch": 9}], ids=str)
def gathers(request, connect, calls):
    def gathers(events, **kwargs):
        calls.append(len(events))
        Group.objects.create(name=f"call {len(calls)}")

    return connect(signals.ticket_changed, gathers, **request.param)


def assert_all_is_as_after_one_call() -> None:
    assert statuses() == ["succeeded"] * 2
    assert outcomes() == ["succeeded"] * 2
    assert set(Event.objects.values_list("attempts", "deaths", "alone")) == {(1, 0, False)}
    assert Group.objects.count() == 1
    assert not Gathering.objects.exists()
    assert not FailureGroup.objects.exists()


@pytest.mark.first("gathers")
@pytest.mark.parametrize(
    ("module", "name"),
    [(members, "read"), (members, "lock"), (members, "finish"), (rounds, "note_called")],
)
@pytest.mark.parametrize("times", TIMES)
def test_a_gathered_call_whose_transaction_is_undone(
    post, gathers, calls, undo, module, name, times
):
    undone = undo(module, name, times)
    post(ticket())
    post(ticket())
    for _ in range(12):
        dispatch_due(later=LATER, raises=False)
    assert len(undone) == times
    assert_all_is_as_after_one_call()


@pytest.mark.parametrize("times", TIMES)
def test_a_failure_of_a_gathered_call_counts_once_if_its_transaction_is_undone(
    post, connect, calls, undo, times
):
    def fails_once(events, **kwargs):
        calls.append(len(events))
        if len(calls) == 1:
            raise ValueError("not yet")

    connect(signals.ticket_changed, fails_once, settle=30)
    post(ticket())
    post(ticket())
    dispatch_due()
    undone = undo(members, "lock", 1)
    for _ in range(12):
        dispatch_due(later=LATER, raises=False)
    assert undone
    assert calls == [2, 2]
    assert statuses() == ["succeeded"] * 2
    assert outcomes().count("failed") == 1


@pytest.mark.first("gathers")
@pytest.mark.parametrize("times", TIMES)
def test_an_event_that_joins_while_its_transaction_is_undone(post, gathers, undo, times):
    undone = undo(joining, "_open", times)
    post(ticket())
    post(ticket())
    for _ in range(12):
        dispatch_due(later=LATER, raises=False)
    assert len(undone) == times
    assert_all_is_as_after_one_call()


@pytest.mark.parametrize("atomic", [True, False])
def test_a_receiver_of_one_event_is_not_blamed(post, connect, calls, monkeypatch, atomic):
    def receives(event, **kwargs):
        calls.append(event.attempts)
        Group.objects.create(name=f"call {len(calls)}")

    connect(signals.ticket_changed, receives, atomic=atomic)
    store, undone = ReceiverRun.store, list[ReceiverRun]()

    def undoing(run, *args):
        store(run, *args)
        if not undone:
            undone.append(run)
            raise deadlock()

    monkeypatch.setattr(ReceiverRun, "store", undoing)
    post(ticket())
    for _ in range(3):
        dispatch_due(later=LATER, raises=False)
    assert undone
    assert (statuses(), outcomes()) == (["succeeded"], ["succeeded"])
    # What is not atomic was done, so only its outcome is written again.
    assert calls == ([1, 1] if atomic else [1])
    assert Group.objects.count() == 1
    assert Event.objects.get().attempts == 1
    assert not FailureGroup.objects.exists()


def test_a_deadlock_of_its_own_is_the_receivers_failure(post, connect):
    def deadlocks(event, **kwargs):
        if event.attempts < 2:
            raise deadlock()

    connect(signals.ticket_changed, deadlocks)
    post(ticket())
    for _ in range(2):
        dispatch_due(later=timedelta(hours=1), raises=False)
    assert outcomes() == ["failed", "succeeded"]


def test_a_process_that_is_told_to_end_before_the_call_has_begun_gives_it_back(
    post, gathers, calls, monkeypatch
):
    post(ticket())
    dispatch_due()
    Gathering.objects.update(next_attempt_at="2020-01-01T00:00Z")
    (gathering,) = take_rows(Gathering, 1)

    def ends(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(members, "read", ends)
        with pytest.raises(KeyboardInterrupt):
            GatheredCall(gathering).make()
    stored = Gathering.objects.get()
    assert (stored.attempts, stored.claim, stored.begun_at) == (0, None, None)
    assert stored.next_attempt_at.year == 2020
    dispatch_due()
    assert (calls, statuses()) == ([1], ["succeeded"])


@pytest.mark.skipif(connection.vendor == "sqlite", reason="It locks the whole database.")
def test_the_victim_of_a_real_deadlock_is_repeated(post):
    keys = [post(ticket()) and Event.objects.latest("pk").pk for _ in range(2)]
    meeting, tries = threading.Barrier(2, timeout=LONG), list[int]()

    def lock(first: int, second: int) -> None:
        tries.append(first)
        Event.objects.select_for_update().get(pk=first)
        if len(tries) <= 2:
            meeting.wait()
        Event.objects.select_for_update().get(pk=second)

    def other() -> None:
        try:
            in_own_transaction(queue.using(), lambda: lock(keys[1], keys[0]))
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    thread.start()
    in_own_transaction(queue.using(), lambda: lock(*keys))
    thread.join(LONG)
    assert not thread.is_alive()
    assert len(tries) == 3


@pytest.mark.skipif(connection.vendor != "mysql", reason="Only MariaDB and MySQL lock gaps.")
def test_a_claim_under_repeatable_read_keeps_no_delivery_out(post):
    """Each statement of a claim looks at more rows than it claims."""
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    options["isolation_level"] = "repeatable read"
    connection.close()
    try:
        for _ in range(3):
            post(ticket())
        claimed, go_on = threading.Event(), threading.Event()

        def claim_slowly() -> None:
            take(1)
            claimed.set()
            go_on.wait(LONG)

        def other() -> None:
            try:
                in_own_transaction(queue.using(), claim_slowly)
            finally:
                connections.close_all()

        thread = threading.Thread(target=other)
        thread.start()
        assert claimed.wait(LONG)
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        assert post(ticket()).status_code == 200
        assert len(take(9)) == 3
        go_on.set()
        thread.join(LONG)
    finally:
        options.clear()
        options.update(before)
        connection.close()
