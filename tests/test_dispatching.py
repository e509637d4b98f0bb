"""Dispatching: each receiver once, none stopped by another, everything written down."""

import logging
from contextlib import suppress

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatching import dispatch
from superoffice_hooks.models import Event, ReceiverRun
from superoffice_hooks.receivers import dotted_path

from .conftest import SECRET, body, documented

pytestmark = pytest.mark.django_db


def raising(error: BaseException):
    """A receiver that raises."""

    def raises(**kwargs):
        raise error

    return raises


def test_a_receiver_gets_what_the_documentation_says(post, connect):
    calls = []
    connect(signals.ticket_changed, lambda **kwargs: calls.append(kwargs))
    post(documented("seed-ticket.changed"))
    (call,) = calls
    event = Event.objects.get()
    assert call["sender"] is Event
    assert call["signal"] is signals.ticket_changed
    assert call["event"] == event
    assert call["changes"] == event.changes
    assert call["replay"] is None
    assert call.keys() == {"sender", "signal", "event", "changes", "replay"}


def test_success_is_written_down(post, connect):
    receiver = connect(signals.ticket_changed, lambda **kwargs: None)
    post(body())
    event = Event.objects.get()
    run = event.runs.get()
    assert (event.status, event.attempts, event.claimed_until) == ("succeeded", 1, None)
    assert event.received_at <= event.finished_at <= timezone.now()
    assert run.receiver == dotted_path(receiver)
    assert (run.outcome, run.attempt, run.error, run.traceback) == ("succeeded", 1, "", "")
    assert run.duration.total_seconds() >= 0
    assert run.replay is None


def test_a_coroutine_function_is_awaited(post, connect):
    calls = []

    async def receive(event, **kwargs):
        calls.append(event.name)

    connect(signals.ticket_changed, receive)
    post(body())
    assert calls == ["ticket.changed"]
    assert Event.objects.get().status == "succeeded"


def test_a_receiver_that_raises_leaves_status_run_and_traceback_and_the_sender_sees_200(
    post, connect, caplog
):
    connect(signals.ticket_changed, raising(RuntimeError("the lookup failed")))
    assert post(body()).status_code == 200
    event = Event.objects.get()
    run = event.runs.get()
    assert event.status == "failed"
    assert run.outcome == "failed"
    assert run.error == "RuntimeError: the lookup failed"
    assert "in raises\n    raise error" in run.traceback
    assert any(record.levelno == logging.WARNING for record in caplog.records)


def test_a_failing_receiver_stops_no_other(post, connect):
    calls = []

    def before(**kwargs):
        calls.append("before")

    def after(**kwargs):
        calls.append("after")

    connect(signals.ticket_changed, before)
    connect(signals.on("ticket.*"), raising(ValueError("no")))
    connect(signals.any_event, after)
    post(body())
    event = Event.objects.get()
    assert sorted(calls) == ["after", "before"]
    assert event.status == "failed"
    assert sorted(event.runs.values_list("outcome", flat=True)) == [
        "failed",
        "succeeded",
        "succeeded",
    ]


def test_receivers_of_one_signal_run_in_the_order_they_were_connected(post, connect):
    calls = []
    for number in range(5):

        def numbered(number=number, **kwargs):
            calls.append(number)

        numbered.__qualname__ = f"numbered_{number}"
        connect(signals.ticket_changed, numbered)
    post(body())
    assert calls == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), RuntimeError("\x00\ud800"), RecursionError(), AssertionError(), OSError(5)],
)
def test_whatever_a_receiver_raises_is_its_own_failure(post, connect, error):
    connect(signals.ticket_changed, raising(error))
    assert post(body()).status_code == 200
    run = ReceiverRun.objects.get()
    assert run.outcome == "failed"
    assert run.error.startswith(type(error).__name__)


def test_an_error_that_cannot_even_be_printed_is_written_down(post, connect):
    class Unprintable(Exception):
        def __str__(self):
            raise ValueError("no words")

    connect(signals.ticket_changed, raising(Unprintable()))
    post(body())
    assert "Unprintable" in ReceiverRun.objects.get().error


def test_a_long_error_is_bounded_and_keeps_the_end_of_its_traceback(post, connect):
    connect(signals.ticket_changed, raising(ValueError("x" * 100_000 + "the end")))
    post(body())
    run = ReceiverRun.objects.get()
    assert len(run.error) == 500
    assert len(run.traceback) == 20_000
    assert run.traceback.endswith("the end\n")


class TestOneTransaction:
    """What a receiver did and the record that it ran are committed together or not at all."""

    def test_what_a_failing_receiver_did_is_undone(self, post, connect):
        def half(**kwargs):
            Group.objects.create(name="half done")
            raise RuntimeError

        connect(signals.ticket_changed, half)
        post(body())
        assert not Group.objects.exists()
        assert ReceiverRun.objects.get().outcome == "failed"

    def test_on_commit_work_of_a_receiver_waits_for_its_record(
        self, post, connect, django_capture_on_commit_callbacks
    ):
        def promising(**kwargs):
            transaction.on_commit(lambda: None)
            raise RuntimeError

        connect(signals.ticket_changed, promising)
        with django_capture_on_commit_callbacks() as callbacks:
            post(body())
        assert callbacks == []

    def test_a_receiver_that_breaks_its_transaction_has_failed_and_breaks_no_other(
        self, post, connect
    ):
        def breaking(**kwargs):
            Group.objects.create(name="once")
            with suppress(IntegrityError):
                Group.objects.create(name="once")

        def healthy(**kwargs):
            Group.objects.create(name="healthy")

        connect(signals.ticket_changed, breaking)
        connect(signals.ticket_changed, healthy)
        post(body())
        outcomes = dict(ReceiverRun.objects.values_list("receiver", "outcome"))
        assert list(outcomes.values()) == ["failed", "succeeded"]
        assert list(Group.objects.values_list("name", flat=True)) == ["healthy"]

    def test_a_receiver_cannot_succeed_twice_for_one_event(self, post, connect):
        connect(signals.ticket_changed, write_group)
        post(body())
        event = Event.objects.get()
        again = ReceiverRun.begin(event, f"{__name__}.write_group", None)
        with pytest.raises(IntegrityError), transaction.atomic():
            again.succeed()

    @override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]})
    def test_of_two_processes_running_one_event_only_one_commits(self, post, connect):
        post(body())
        connect(signals.ticket_changed, write_group)
        Event.objects.update(status="running", claimed_until=timezone.now())
        overtaken, faster = Event.objects.get(), Event.objects.get()
        assert faster.claim()
        assert dispatch(faster) == "succeeded"
        dispatch(overtaken)
        event = Event.objects.get()
        assert event.status == "succeeded"
        assert event.runs.get().outcome == "succeeded"
        assert Group.objects.count() == 1


def test_without_a_receiver_the_event_is_skipped(post):
    post(body())
    event = Event.objects.get()
    assert (event.status, event.claimed_until) == ("skipped", None)
    assert event.finished_at is not None


class TestTheTestEvent:
    """A registration's test event reaches webhook_tested and nobody else."""

    def test_it_is_skipped_and_announced(self, post, connect):
        told, called = [], []
        connect(signals.webhook_tested, lambda event, **kwargs: told.append(event.name))
        connect(signals.any_event, lambda **kwargs: called.append(1))
        post(documented("test-event-01-test"), headers={"X-Hook-Test": "true"})
        assert (told, called) == (["test"], [])
        assert Event.objects.get().status == "skipped"

    def test_a_listener_that_raises_is_logged(self, post, connect, caplog):
        connect(signals.webhook_tested, raising(RuntimeError("no")))
        assert post(documented("test-event-01-test")).status_code == 200
        assert "raised for test " in caplog.text
        assert Event.objects.get().status == "skipped"

    def test_the_header_alone_makes_no_test_of_an_event(self, post, connect):
        connect(signals.ticket_changed, write_group)
        post(body(), headers={"X-Hook-Test": "true"})
        assert Group.objects.count() == 1


def test_state_events_reach_webhook_state_changed(post, connect):
    states = []
    connect(signals.webhook_state_changed, lambda event, **kwargs: states.append(event.action))
    for name in ("01-webhook.started", "02-webhook.stopped", "03-webhook.errors"):
        post(documented(f"state-events-{name}"))
    assert states == ["started", "stopped", "errors"]


def test_a_redelivery_is_recorded_and_nothing_is_run(post, connect):
    connect(signals.ticket_changed, write_group)
    sent = body()
    post(sent)
    assert post(sent, headers={"X-SuperOffice-Retry": "1"}).status_code == 200
    event = Event.objects.get()
    again = event.redeliveries.get()
    assert (again.retry, again.webhook_name, again.body) == (1, "Name you provided", None)
    assert event.runs.count() == 1


def test_another_webhooks_copy_is_a_redelivery_that_keeps_its_body(post, connect):
    connect(signals.ticket_changed, write_group)
    one, other = (body(EventId="1fc5752a-6de8-412d-847a-12d5529a0ec6", WebhookName=n) for n in "ab")
    post(one)
    post(other)
    again = Event.objects.get().redeliveries.get()
    assert (again.webhook_name, bytes(again.body or b"")) == ("b", other)
    assert Group.objects.count() == 1


class TestClaims:
    """An event belongs to one process until it is done or the lease is over."""

    def test_an_event_arrives_claimed_by_the_process_that_took_it(self, post, connect):
        seen = []

        def looking(event, **kwargs):
            stored = Event.objects.get(pk=event.pk)
            seen.append((stored.status, stored.claimed_until - stored.received_at))

        connect(signals.ticket_changed, looking)
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "LEASE_SECONDS": 60}):
            post(body())
        ((status, lease),) = seen
        assert status == "running"
        assert 59 <= lease.total_seconds() <= 61

    def test_nobody_else_can_claim_it_meanwhile(self, post, connect):
        claims = []
        connect(
            signals.ticket_changed,
            lambda event, **kwargs: claims.append(Event.objects.get(pk=event.pk).claim()),
        )
        post(body())
        assert claims == [False]

    def test_of_two_that_try_one_gets_it(self, post):
        post(body())
        one, other = Event.objects.get(), Event.objects.get()
        assert [one.claim(), other.claim()] == [True, False]
        assert (one.status, one.attempts) == ("running", 2)
        assert (other.status, other.attempts) == ("skipped", 1)

    def test_when_the_lease_is_over_anybody_can(self, post):
        post(body())
        Event.objects.update(status="running", claimed_until=timezone.now())
        assert Event.objects.get().claim()

    def test_who_lost_the_claim_does_not_conclude(self, post):
        post(body())
        late = Event.objects.get()
        late.claim()
        Event.objects.update(claimed_until=timezone.now())
        other = Event.objects.get()
        assert other.claim()
        assert late.conclude(Event.Status.FAILED) == "running"
        assert Event.objects.get().claimed_until == other.claimed_until


@override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]})
def test_a_second_attempt_calls_only_who_has_not_succeeded(post, connect):
    connect(signals.ticket_changed, write_group)
    flaky = connect(signals.ticket_changed, raising(RuntimeError("not yet")))
    post(body())
    signals.ticket_changed.disconnect(flaky)
    event = Event.objects.get()
    assert event.claim()
    assert dispatch(event) == "succeeded"
    assert Group.objects.count() == 1
    assert [run.outcome for run in event.runs.all()] == ["succeeded", "failed"]


def delete_this(event, **kwargs):
    event.delete()


def delete_all(event, **kwargs):
    Event.objects.all().delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deleting", [delete_this, delete_all])
def test_a_receiver_that_deletes_the_event_has_failed_since_its_run_needs_it(
    post, connect, deleting
):
    connect(signals.ticket_changed, deleting)
    assert post(body()).status_code == 200
    event = Event.objects.get()
    assert event.status == "failed"
    assert event.runs.get().outcome == "failed"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_meanwhile_leaves_the_event_claimed(
    post, connect, database_away, caplog
):
    away = database_away()

    def pulling_the_plug(**kwargs):
        connection.close()
        away.__enter__()

    connect(signals.ticket_changed, pulling_the_plug)
    try:
        assert post(body()).status_code == 200
    finally:
        away.__exit__(None, None, None)
    assert "cut short" in caplog.text
    assert Event.objects.get().status == "running"
    assert not ReceiverRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_storing_and_dispatching_to_one_receiver_takes_few_statements(post, connect):
    connect(signals.ticket_changed, write_group)
    post(body())
    Group.objects.all().delete()
    statements = []

    def count(execute, sql, *args):
        statements.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(count):
        post(body())
    verbs = [(sql.split()[0], sql.split()[2] if sql[0] == "I" else "") for sql in statements]
    assert [verb for verb, _ in verbs if verb in {"SELECT", "INSERT", "UPDATE"}] == [
        "INSERT",  # the event; here SuperOffice gets its answer
        "INSERT",  # the receiver's own work
        "INSERT",  # its run
        "UPDATE",  # the event's outcome
    ]


def write_group(event, **kwargs):
    """Does something in the database that shows when it is done twice."""
    Group.objects.create(name=str(event.pk))
