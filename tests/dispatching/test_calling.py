"""Calling: what a receiver raises is its own failure, and what it did is committed with its run."""

import asyncio
import logging
import math
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone, translation

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch_due
from superoffice_hooks.exceptions import Failed, RetryLater
from superoffice_hooks.models import Event, ReceiverRun

from ..conftest import SECRET, body
from ..replica import ReplicaThatLags

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def worker():
    """The tests dispatch, in their own thread."""
    hooks = {"SECRETS": [SECRET], "DISPATCH": "worker", "MAX_ATTEMPTS": 3, "RETRY_DELAYS": [0]}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield


def write_group(event, **kwargs):
    Group.objects.create(name=str(event.pk))


class OwnTimeout(BaseException):
    """As gevent.Timeout, GreenletExit and trio.Cancelled, which are no Exception."""


async def awaits_a_cancelled_task(**kwargs):
    inner = asyncio.ensure_future(asyncio.sleep(10))
    await asyncio.sleep(0)
    inner.cancel()
    await inner


def raises_a_timeout_of_its_library(**kwargs):
    raise OwnTimeout


def exits(**kwargs):
    raise SystemExit(1)


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    "receiver", [awaits_a_cancelled_task, raises_a_timeout_of_its_library, exits]
)
def test_an_error_that_is_no_exception_is_the_receivers_failure_too(
    post, connect, receiver, atomic
):
    connect(signals.ticket_changed, receiver, atomic=atomic)
    connect(signals.any_event, write_group)
    post(body())
    call_command("superoffice_dispatch", verbosity=0)
    outcomes = ReceiverRun.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["failed", "succeeded", "failed", "failed"]
    assert Event.objects.get().status == "failed"


def test_a_filter_that_raises_what_is_no_exception_is_a_failure_of_its_receiver(post, connect):
    def fields(event):
        raise OwnTimeout

    connect(signals.ticket_changed, write_group, fields=fields)
    post(body())
    list(dispatch_due(1))
    assert ReceiverRun.objects.first().outcome == "failed"


def test_ctrl_c_ends_the_dispatcher_and_gives_the_event_back(post, connect):
    def interrupted(**kwargs):
        raise KeyboardInterrupt

    connect(signals.ticket_changed, interrupted)
    for _ in range(3):
        post(body())
    with pytest.raises(KeyboardInterrupt):
        list(dispatch_due(3))
    untouched = Event.objects.filter(status="pending", attempts=0, claim=None)
    assert untouched.due().count() == 3
    assert not ReceiverRun.objects.exists()


PLACE: Any = ("receivers.py", 1, 1, b"no text")


class WaitsForNothing(RetryLater):
    def __init__(self):
        Exception.__init__(self)


class FailsWithNothing(Failed):
    def __init__(self):
        Exception.__init__(self)


def retry_later(seconds):
    error = RetryLater(1)
    error.seconds = seconds
    return error


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SyntaxError("no", PLACE), "failed"),
        (FailsWithNothing(), "failed"),
        (GeneratorExit(), "failed"),
        (WaitsForNothing(), "postponed"),
        *((retry_later(s), "postponed") for s in (math.nan, -1e300, 10**400, "5", None)),
    ],
)
def test_whatever_error_it_is_it_is_recorded(post, connect, atomic, error, outcome):
    def raises(**kwargs):
        raise error

    connect(signals.ticket_changed, raises, atomic=atomic)
    post(body())
    list(dispatch_due(1, [Event.objects.get().pk]))
    event = Event.objects.get()
    assert event.runs.first().outcome == outcome
    assert (event.deaths, event.claim) == (0, None)


def test_what_is_raised_in_the_main_thread_alone_is_ctrl_c(post, connect):
    def interrupted(**kwargs):
        raise KeyboardInterrupt

    connect(signals.ticket_changed, interrupted)
    post(body())
    in_thread(lambda: list(dispatch_due(1)))
    assert ReceiverRun.objects.first().error == "KeyboardInterrupt"


def in_thread(act):
    def run():
        act()
        connection.close()

    other = threading.Thread(target=run)
    other.start()
    other.join()


class TestHooks:
    """What a receiver leaves to be done after its commit."""

    @staticmethod
    def publish():
        raise ConnectionError("the broker is away")

    def test_one_that_raises_does_not_undo_the_success(self, post, connect, caplog):
        calls = []

        def receiver(event, **kwargs):
            calls.append(event.pk)
            write_group(event)
            transaction.on_commit(self.publish)

        connect(signals.ticket_changed, receiver)
        post(body())
        list(dispatch_due(1))
        event = Event.objects.get()
        run = event.runs.get()
        assert (event.status, run.outcome, len(calls)) == ("succeeded", "succeeded", 1)
        assert Group.objects.count() == 1
        assert run.error == "ConnectionError: the broker is away"
        assert "in publish" in run.traceback
        (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
        assert "on_commit hook" in record.message
        assert record.exc_info

    def test_one_that_raises_costs_no_other_receiver_its_call(self, post, connect):
        def receiver(**kwargs):
            transaction.on_commit(self.publish)

        connect(signals.ticket_changed, receiver)
        connect(signals.any_event, write_group)
        post(body())
        list(dispatch_due(1))
        assert Group.objects.count() == 1
        assert Event.objects.get().status == "succeeded"


class TestLanguageAndZone:
    """Receivers run in the project's, whoever dispatches."""

    def test_those_of_who_dispatches_do_not_count(self, post, connect, settings):
        seen = []

        def receiver(**kwargs):
            seen.append((translation.get_language(), timezone.get_current_timezone_name()))

        connect(signals.ticket_changed, receiver)
        post(body())
        with translation.override("nb"), timezone.override("Asia/Tokyo"):
            list(dispatch_due(1))
        assert seen == [(settings.LANGUAGE_CODE, settings.TIME_ZONE)]

    def test_what_a_receiver_activates_does_not_reach_the_next(self, post, connect, settings):
        seen = []

        def activates(**kwargs):
            seen.append(translation.get_language())
            translation.activate("nb")
            timezone.activate("Asia/Tokyo")

        connect(signals.ticket_changed, activates)
        post(body())
        post(body())
        list(dispatch_due(2))
        assert seen == [settings.LANGUAGE_CODE] * 2
        assert timezone.get_current_timezone_name() == settings.TIME_ZONE


class TestReceiversThatAreGone:
    """A deploy that does not know a receiver, or knows it by another name."""

    def failing(self, **kwargs):
        raise RuntimeError("down")

    def test_the_failed_event_is_not_skipped(self, post, connect, caplog):
        def failing(**kwargs):
            raise RuntimeError("down")

        signals.ticket_changed.connect(failing)
        post(body())
        next(dispatch_due(1))
        assert Event.objects.get().status == "pending"
        signals.ticket_changed.disconnect(failing)
        Event.objects.update(next_attempt_at=timezone.now())
        list(dispatch_due(1))
        assert Event.objects.get().status == "failed"
        assert "no receiver is connected as" in caplog.text
        assert "failing any more" in caplog.text

    def test_who_succeeded_is_not_called_again_and_who_is_new_is_called(self, post, connect):
        def failing(**kwargs):
            raise RuntimeError("down")

        def new_name(**kwargs):
            called.append(1)

        called: list[int] = []
        connect(signals.any_event, write_group)
        signals.ticket_changed.connect(failing)
        post(body())
        next(dispatch_due(1))
        signals.ticket_changed.disconnect(failing)
        connect(signals.ticket_changed, new_name)
        Event.objects.update(next_attempt_at=timezone.now())
        list(dispatch_due(1))
        assert (Group.objects.count(), called) == (1, [1])
        assert Event.objects.get().status == "failed"


def end_session() -> None:
    """End the database session of this thread, as an administrator or a firewall does."""
    pid = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}
    kill = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}
    with connection.cursor() as cursor:
        cursor.execute(pid[connection.vendor])
        (number,) = cursor.fetchone()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(kill[connection.vendor], [number])
    finally:
        other.close()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no sessions")
class TestLostSessions:
    """A session that the database ends is no failure of the receiver."""

    def test_what_a_receiver_without_a_transaction_came_to_is_written_on_a_new_one(
        self, post, connect
    ):
        calls = []

        def slow(event, **kwargs):
            calls.append(event.pk)
            end_session()

        connect(signals.ticket_changed, slow, atomic=False)
        post(body())
        list(dispatch_due(1))
        event = Event.objects.get()
        assert (event.status, event.attempts, len(calls)) == ("succeeded", 1, 1)
        assert event.runs.get().outcome == "succeeded"

    def test_its_own_error_is_written_down_too(self, post, connect):
        def fails(**kwargs):
            end_session()
            raise RuntimeError("its own")

        connect(signals.ticket_changed, fails, atomic=False)
        post(body())
        next(dispatch_due(1))
        assert ReceiverRun.objects.get().error == "RuntimeError: its own"

    def test_a_transaction_that_was_lost_is_tried_again_and_counts_for_nothing(self, post, connect):
        calls = []

        def unlucky(event, **kwargs):
            calls.append(event.pk)
            write_group(event)
            if len(calls) == 1:
                end_session()

        connect(signals.ticket_changed, unlucky)
        post(body())
        post(body(PrimaryKey=2))
        list(dispatch_due(2))
        Event.objects.filter(status="pending").update(next_attempt_at=timezone.now())
        list(dispatch_due(2))
        assert [event.status for event in Event.objects.all()] == ["succeeded"] * 2
        assert [run.outcome for run in ReceiverRun.objects.all()] == ["succeeded"] * 2
        assert Group.objects.count() == 2

    def test_a_receiver_that_always_ends_its_session_is_given_up(self, post, connect):
        def deadly(event, **kwargs):
            write_group(event)
            end_session()

        connect(signals.ticket_changed, deadly)
        post(body())
        for _ in range(5):
            list(dispatch_due(1))
            Event.objects.filter(status="pending").update(next_attempt_at=timezone.now())
        event = Event.objects.get()
        assert event.status == "failed"
        assert event.runs.get().outcome == "gave_up"
        assert not Group.objects.exists()


def test_dispatching_reads_where_it_writes(post, connect, settings):
    outcomes = [RuntimeError("down"), None]

    def flaky(**kwargs):
        if error := outcomes.pop(0):
            raise error

    connect(signals.any_event, lambda **kwargs: None)
    connect(signals.ticket_changed, flaky)
    post(body())
    settings.DATABASE_ROUTERS = [ReplicaThatLags()]
    for _ in range(2):
        list(dispatch_due(1))
    settings.DATABASE_ROUTERS = []
    event = Event.objects.get()
    assert (event.status, event.attempts, event.runs.count()) == ("succeeded", 2, 3)
