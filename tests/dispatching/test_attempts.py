"""Dispatching: each receiver once, none stopped by another, everything written down."""

import logging
from contextlib import suppress

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch, dispatch_due
from superoffice_hooks.models import Event, ReceiverRun
from superoffice_hooks.models.claiming import take
from superoffice_hooks.receivers import dotted_path

from ..conftest import SECRET, body, documented

pytestmark = pytest.mark.django_db


WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})


def lapse() -> None:
    """Let the leases of all claims end."""
    Event.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())


def succeeding(receiver):
    """The same receiver, mended."""

    def mended(**kwargs):
        pass

    mended.__qualname__ = receiver.__qualname__
    return mended


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
    assert (event.status, event.attempts, event.claim) == ("succeeded", 1, None)
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


@pytest.mark.usefixtures("one_attempt")
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


@pytest.mark.usefixtures("one_attempt")
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
        again.succeed()
        with pytest.raises(IntegrityError), transaction.atomic():
            again.store()

    @WORKER
    def test_of_two_processes_running_one_event_only_one_commits(self, post, connect):
        overtaken: list[Event] = []

        def slow(event, **kwargs):
            """Outlives its lease; meanwhile another process dispatches the event."""
            if overtaken:
                write_group(event)
            else:
                overtaken.append(event)
                lapse()
                list(dispatch_due(1))

        connect(signals.ticket_changed, slow, atomic=False)
        post(body())
        list(dispatch_due(1))
        event = Event.objects.get()
        assert (event.status, event.attempts) == ("succeeded", 2)
        assert event.runs.get().attempt == 2


def test_without_a_receiver_the_event_is_skipped(post):
    post(body())
    event = Event.objects.get()
    assert (event.status, event.claim, event.attempts) == ("skipped", None, 0)
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


@override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "RETRY_DELAYS": [0]})
def test_a_second_attempt_calls_only_who_has_not_succeeded(post, connect):
    connect(signals.ticket_changed, write_group)
    flaky = connect(signals.ticket_changed, raising(RuntimeError("not yet")))
    post(body())
    signals.ticket_changed.disconnect(flaky)
    connect(signals.ticket_changed, flaky := succeeding(flaky))
    (event,) = dispatch_due(1)
    assert event.status == "succeeded"
    assert Group.objects.count() == 1
    assert [run.outcome for run in event.runs.all()] == ["succeeded", "failed", "succeeded"]


def delete_this(event, **kwargs):
    event.delete()


def delete_all(event, **kwargs):
    Event.objects.all().delete()


@pytest.mark.usefixtures("one_attempt")
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
@pytest.mark.parametrize("then_raises", [False, True])
def test_an_event_that_somebody_deletes_meanwhile_is_no_error_and_disturbs_no_other(
    post, connect, caplog, then_raises
):
    def deletes(event, **kwargs):
        delete_all(event)
        if then_raises:
            raise ValueError

    connect(signals.ticket_changed, deletes, atomic=False)
    connect(signals.contact_changed, lambda **kwargs: None)
    assert post(body()).status_code == 200
    assert post(body("contact.changed")).status_code == 200
    assert [event.status for event in Event.objects.all()] == ["succeeded"]
    assert "was deleted while receiver" in caplog.text
    assert "Unexpected" not in caplog.text
    assert "cannot be used" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_meanwhile_is_no_failure_of_the_receiver(
    post, connect, database_away, caplog, monkeypatch
):
    monkeypatch.setattr("superoffice_hooks.dispatching.recording._WAITS", (0,))
    away = database_away()

    def pulling_the_plug(**kwargs):
        connection.close()
        away.__enter__()

    connect(signals.ticket_changed, pulling_the_plug)
    try:
        assert post(body()).status_code == 200
    finally:
        away.__exit__(None, None, None)
    assert "failed for good" not in caplog.text
    assert Event.objects.get().is_running
    assert not ReceiverRun.objects.exists()


@WORKER
@pytest.mark.django_db(transaction=True)
def test_a_dispatch_takes_few_statements_and_two_commits(post, connect):
    connect(signals.ticket_changed, write_group)
    post(body())
    (event,) = take(1)
    statements = []

    def count(execute, sql, *args):
        statements.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(count):
        assert dispatch(event)
    # psycopg takes several in one text.
    verbs = [part.split()[0] for sql in statements for part in sql.split("; ")]
    begins = ["UPDATE"]  # commits
    locks = ["UPDATE"] if connection.vendor == "sqlite" else []
    ends = [
        "INSERT",  # the receiver's own work
        "UPDATE",  # the event's outcome
        "INSERT",  # its run
    ]
    assert [verb for verb in verbs if verb in {"SELECT", "INSERT", "UPDATE"}] == [
        *begins,
        *locks,
        *ends,
    ]


def write_group(event, **kwargs):
    """Does something in the database that shows when it is done twice."""
    Group.objects.create(name=str(event.pk))
