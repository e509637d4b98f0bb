"""Failures as groups: one for each cause, announced once."""

import logging
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch_due
from superoffice_hooks.exceptions import GiveUp, RetryLater
from superoffice_hooks.models import Event, FailureGroup, ReceiverRun
from superoffice_hooks.models.failure_group import FailureGroupQuerySet
from superoffice_hooks.reports import failure_groups

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def worker():
    """The tests dispatch, in their own thread."""
    hooks = {"SECRETS": [SECRET], "DISPATCH": "worker", "MAX_ATTEMPTS": 2, "RETRY_DELAYS": [0]}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield


@pytest.fixture
def opened(connect):
    """The groups that were announced, each with whether it was reopened."""
    announced = []

    def note(sender, group, event, run, reopened, **kwargs):
        assert sender is FailureGroup
        assert (run.event_id, run.group_id, bool(run.pk)) == (event.pk, group.pk, True)
        announced.append((group.exception, reopened))

    connect(signals.failure_group_opened, note)
    return announced


class Receiver:
    """Raises what it is told to, in one function or in another."""

    def __init__(self, error=None):
        self.error = error

    def __call__(self, **kwargs):
        if self.error:
            raise self.error


@pytest.fixture
def receiver(connect):
    return connect(signals.any_event, Receiver(ValueError("no such ticket")))


def dispatch(limit=10):
    return list(dispatch_due(limit))


def fail(post, times=1):
    for _ in range(times):
        post(body(FieldValues={}))
    dispatch()


def errors_in(caplog):
    return [r for r in caplog.records if r.levelno >= logging.ERROR]


def still_failed():
    counts = failure_groups.still_failed(list(FailureGroup.objects.values_list("pk", flat=True)))
    return sum(counts.values())


def test_failures_of_one_cause_are_one_group(post, receiver, opened):
    fail(post, 3)
    group = FailureGroup.objects.get()
    assert (group.receiver, group.exception, group.error, group.state) == (
        "tests.dispatching.test_failures.Receiver",
        "ValueError",
        "ValueError: no such ticket",
        "open",
    )
    assert group.frame == "tests/dispatching/test_failures.py:Receiver.__call__"
    assert {run.group_id for run in ReceiverRun.objects.all()} == {group.pk}
    assert opened == [("ValueError", False)]
    assert still_failed() == 3


def test_another_exception_is_another_group(post, receiver, opened):
    fail(post)
    receiver.error = KeyError("ticket")
    fail(post)
    assert opened == [("ValueError", False), ("KeyError", False)]


def test_a_new_cause_is_one_error_in_the_log_with_the_exception(post, receiver, caplog):
    fail(post, 3)
    (record,) = errors_in(caplog)
    assert record.exc_info[1] is receiver.error
    assert f"failure group {FailureGroup.objects.get().pk}" in record.message
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert sum("raised for" in record.message for record in warnings) == 6


def test_a_failure_after_it_was_resolved_opens_the_group_again(post, receiver, opened, caplog):
    fail(post)
    FailureGroup.objects.get().resolve(who="rita", reason="Fixed in release 7")
    fail(post, 2)
    group = FailureGroup.objects.get()
    assert (group.state, group.who, group.reason) == ("open", "rita", "Fixed in release 7")
    assert group.said_at < group.reopened_at <= group.last_seen
    assert opened == [("ValueError", False), ("ValueError", True)]
    assert len(errors_in(caplog)) == 2


def test_a_muted_group_is_not_announced_until_its_time_has_come(post, receiver, opened):
    fail(post)
    group = FailureGroup.objects.get()
    group.mute(who="rita", reason="The ERP is down until Monday", until=after(3600))
    fail(post)
    assert (FailureGroup.objects.get().state, opened) == ("muted", [("ValueError", False)])
    group.mute(who="rita", reason="The ERP is down until Monday", until=after(-1))
    assert group.current_state == "open"
    fail(post)
    assert FailureGroup.objects.get().state == "open"
    assert opened[1:] == [("ValueError", True)]


def test_a_group_that_is_muted_without_an_end_stays_so(post, receiver, opened):
    fail(post)
    FailureGroup.objects.get().mute(who="rita", reason="Known")
    fail(post)
    assert (FailureGroup.objects.get().state, len(opened)) == ("muted", 1)


def test_an_event_that_succeeds_at_last_is_no_longer_failed(post, receiver):
    post(body())
    next(dispatch_due(1))
    assert (Event.objects.get().status, still_failed()) == ("pending", 1)
    receiver.error = None
    dispatch()
    assert (Event.objects.get().status, still_failed()) == ("succeeded", 0)
    assert ReceiverRun.objects.exclude(group=None).count() == 1


def test_only_the_last_run_of_a_receiver_counts(post, receiver):
    post(body())
    next(dispatch_due(1))
    receiver.error = KeyError("ticket")
    dispatch()
    ended = {group.exception: group.pk for group in FailureGroup.objects.all()}
    assert failure_groups.still_failed(list(ended.values())) == {
        ended["ValueError"]: 0,
        ended["KeyError"]: 1,
    }


def test_a_replay_that_succeeds_takes_the_event_out_of_its_group(post, receiver):
    fail(post, 2)
    group = FailureGroup.objects.get()
    receiver.error = None
    call_command("superoffice_replay", f"--group={group.pk}", "--only-failed", verbosity=0)
    assert (still_failed(), Event.objects.filter(status="succeeded").count()) == (0, 2)


def test_a_replay_that_fails_otherwise_moves_the_event_to_another_group(post, receiver, opened):
    fail(post)
    group = FailureGroup.objects.get()
    receiver.error = KeyError("ticket")
    with pytest.raises(CommandError, match="1 event failed"):
        call_command("superoffice_replay", f"--group={group.pk}", verbosity=0)
    assert failure_groups.still_failed([group.pk]) == {group.pk: 0}
    assert (still_failed(), opened[1:]) == (1, [("KeyError", False)])


def test_an_event_that_is_handled_does_not_count(post, receiver):
    fail(post, 2)
    Event.objects.first().handle(who="rita", reason="By hand")
    assert still_failed() == 1
    Event.objects.first().undo_handled(who="rita")
    assert still_failed() == 2


def test_giving_up_is_a_failure(post, receiver, opened):
    receiver.error = GiveUp("no such customer")
    fail(post)
    assert opened == [("superoffice_hooks.exceptions.GiveUp", False)]


def test_asking_for_another_attempt_is_a_failure_only_if_none_is_left(post, receiver, opened):
    receiver.error = RetryLater(0)
    post(body())
    next(dispatch_due(1))
    assert (opened, FailureGroup.objects.count()) == ([], 0)
    dispatch()
    assert Event.objects.get().status == "failed"
    assert opened == [("superoffice_hooks.exceptions.RetryLater", False)]
    assert still_failed() == 1


def test_a_receiver_of_the_signal_that_raises_is_logged(post, receiver, connect, caplog):
    def stumble(**kwargs):
        raise SystemExit(1)

    connect(signals.failure_group_opened, stumble)
    fail(post)
    assert Event.objects.get().status == "failed"
    assert sum("raised for" in record.message for record in errors_in(caplog)) == 1


def test_what_goes_wrong_with_a_group_loses_no_failure(post, receiver, caplog, monkeypatch):
    def see(*args):
        raise IntegrityError("nobody knows")

    monkeypatch.setattr(FailureGroupQuerySet, "see", see)
    fail(post)
    assert Event.objects.get().status == "failed"
    assert [run.group for run in ReceiverRun.objects.all()] == [None, None]
    assert "is in no failure group" in caplog.text


def test_a_storm_reads_a_group_and_does_not_write_it(post, receiver):
    fail(post)
    with CaptureQueriesContext(connection) as queries:
        fail(post)
    of_groups = [q["sql"] for q in queries if "superoffice_hooks_failuregroup" in q["sql"]]
    assert {sql.partition(" ")[0] for sql in of_groups} == {"SELECT"}
    assert len(of_groups) == 2


def test_last_seen_follows_after_some_seconds(post, receiver):
    fail(post)
    FailureGroup.objects.update(last_seen=after(-60), first_seen=after(-60))
    fail(post)
    group = FailureGroup.objects.get()
    assert (group.last_seen - group.first_seen).total_seconds() > 50


def after(seconds):
    return timezone.now() + timedelta(seconds=seconds)
