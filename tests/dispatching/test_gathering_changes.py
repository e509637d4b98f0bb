"""What becomes of events that wait when something else changes: options, claims, the process."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import InterfaceError, transaction
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import dispatcher, signals
from superoffice_hooks.dispatcher.claimed import Claimed
from superoffice_hooks.dispatching import in_thread
from superoffice_hooks.dispatching import joining as joins
from superoffice_hooks.dispatching.gathered import GatheredCall
from superoffice_hooks.exceptions import RetryLater
from superoffice_hooks.models import Event, Gathering, ReceiverRun, members, steps
from superoffice_hooks.models.claiming import take_rows
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET
from .test_gathering import SETTLED, keys, outcomes, statuses, ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls() -> list[Any]:
    return []


def due_gatherings() -> list[Gathering]:
    Gathering.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
    return take_rows(Gathering, 10)


def nothing_is_left() -> bool:
    runs = ReceiverRun.objects.exclude(gathering=None)
    return not (Gathering.objects.exists() or runs.exists())


class TestOptions:
    """A new version of the project connects the receiver otherwise."""

    @pytest.mark.parametrize(
        ("before", "after", "called"),
        [
            ({"settle": 30}, {"batch": 2}, [1, 1]),
            ({"batch": 3}, {"settle": 30}, [2]),
            ({"batch": 3}, {}, [None, None]),
            ({"batch": 3}, {"batch": 2}, [2]),
            ({"settle": 30}, {"settle": 60}, [2]),
        ],
    )
    def test_waiting_events_are_called_as_it_is_connected_now(
        self, post, connect, calls, before, after, called
    ):
        def takes(events=None, **kwargs):
            calls.append(events and len(events))

        connect(signals.ticket_changed, takes, **before)
        post(ticket())
        post(ticket())
        signals.ticket_changed.disconnect(takes)
        connect(signals.ticket_changed, takes, **after)
        for _ in range(3):
            dispatch_due(later=timedelta(hours=1))
        assert (calls, statuses()) == (called, ["succeeded"] * 2)
        assert nothing_is_left()

    def test_one_function_settles_for_some_fields_and_is_called_at_once_for_others(
        self, post, connect, calls
    ):
        def takes(event, changes, events=None, **kwargs):
            calls.append((events and len(events), changes))

        connect(signals.ticket_changed, takes, settle=30, fields={"priority"}, dispatch_uid="a")
        connect(signals.ticket_changed, takes, fields={"status"}, dispatch_uid="b")
        post(ticket(1, ("priority",)))
        post(ticket(1, ("status",)))
        post(ticket(1, ("priority", "status")))
        assert calls == [(None, ("status",))]
        dispatch_due(later=SETTLED)
        assert calls[1:] == [(2, ("priority",))]
        assert statuses() == ["succeeded"] * 3
        assert nothing_is_left()

    def test_a_filter_that_lets_nothing_pass_any_more_loses_no_event(self, post, connect, calls):
        def takes(events, changes, **kwargs):
            calls.append((len(events), changes))

        connect(signals.ticket_changed, takes, settle=30)
        post(ticket())
        signals.ticket_changed.disconnect(takes)
        connect(signals.ticket_changed, takes, settle=30, fields={"title"})
        dispatch_due(later=SETTLED)
        assert (calls, statuses()) == ([(1, ())], ["succeeded"])


class TestProcesses:
    """A process ends without a word."""

    @pytest.mark.parametrize("atomic", [True, False])
    def test_between_the_halves_of_a_batch(self, post, connect, calls, monkeypatch, atomic):
        def takes(events, **kwargs):
            calls.append([e.primary_key for e in events])
            if len(events) > 2:
                raise ValueError("too many")
            if calls == [[0, 1, 2, 3], [0, 1], [2, 3]]:
                raise KeyboardInterrupt
            Group.objects.bulk_create(Group(name=f"{e.pk} {len(calls)}") for e in events)

        connect(signals.any_event, takes, batch=5, atomic=atomic)
        for number in range(4):
            post(ticket(number))
        (gathering,) = due_gatherings()
        call = GatheredCall(gathering)
        monkeypatch.setattr(call, "_give_back", lambda seconds: None)
        with pytest.raises(KeyboardInterrupt):
            call.make()
        post(ticket(4))
        assert statuses() == ["succeeded", "succeeded", "waiting", "waiting", "waiting"]
        Gathering.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
        dispatch_due()
        assert calls[3:] == [[2], [3]]
        dispatch_due(later=timedelta(minutes=1))
        assert calls[5:] == [[4]]
        assert statuses() == ["succeeded"] * 5
        assert Group.objects.count() == 5
        assert nothing_is_left()

    @override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 2})
    def test_each_time_it_is_called_when_a_record_has_settled(self, post, connect, monkeypatch):
        def ends(**kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr(GatheredCall, "_give_back", lambda call, seconds: None)
        connect(signals.ticket_changed, ends, settle=30)
        post(ticket())
        post(ticket())
        for _ in range(3):
            (gathering,) = due_gatherings()
            try:
                GatheredCall(gathering).make()
            except KeyboardInterrupt:
                continue
        assert (statuses(), outcomes()) == (["failed"] * 2, ["gave_up"] * 2)
        assert nothing_is_left()

    def test_what_was_claimed_beside_it_is_given_back(self, post, connect, calls):
        def ends(event, **kwargs):
            calls.append(event.primary_key)
            if len(calls) == 1:
                raise KeyboardInterrupt

        connect(signals.ticket_changed, ends, settle=30)
        post(ticket(1))
        post(ticket(2))
        Gathering.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
        with pytest.raises(KeyboardInterrupt):
            list(in_thread.dispatch_due(10))
        assert not Gathering.objects.exclude(claim=None).exists()
        dispatch_due()
        assert (sorted(calls), statuses()) == ([1, 1, 2], ["succeeded"] * 2)

    def test_a_clock_that_was_ahead_keeps_no_record_waiting(self, post, connect, calls):
        connect(
            signals.ticket_changed, lambda events, **kwargs: calls.append(len(events)), settle=9
        )
        post(ticket())
        ahead = timezone.now() + timedelta(days=300)
        Gathering.objects.update(
            next_attempt_at=ahead, quiet_at=ahead, first_event_at=ahead, last_event_at=ahead
        )
        post(ticket())
        dispatch_due(later=timedelta(minutes=1))
        assert (calls, statuses()) == ([2], ["succeeded"] * 2)


class TestDatabaseTrouble:
    """The database goes away between two statements."""

    def test_gatherings_stay_claimed_for_the_lanes_if_events_cannot_be_claimed(
        self, post, connect, monkeypatch
    ):
        connect(signals.ticket_changed, lambda **kwargs: None, settle=30)
        post(ticket())
        Gathering.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
        claimed = Claimed(10)

        def gone(limit):
            raise InterfaceError("connection already closed")

        monkeypatch.setattr(claimed._events, "take", gone)
        with pytest.raises(InterfaceError):
            claimed.take()
        assert [gathering.events for gathering in claimed.gatherings] == [1]
        claimed.give_back()
        assert not Gathering.objects.exclude(claim=None).exists()

    @pytest.mark.parametrize("model", [Event, Gathering])
    @pytest.mark.parametrize("has_begun", [True, False])
    def test_a_claim_ends_though_the_step_before_was_rolled_back(
        self, post, connect, model, has_begun
    ):
        connect(signals.ticket_changed, lambda **kwargs: None, settle=30)
        post(ticket())
        model.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
        (row,) = take_rows(model, 1)
        claim = row.claim
        if has_begun:
            steps.begin(row, calling="x", alone=True).apply()
        with transaction.atomic():
            steps.postpone(row, 3600).apply()
            transaction.set_rollback(True)
        row.claim = claim
        steps.end(row, 5)
        row.refresh_from_db()
        assert (row.claim, row.begun_at, row.alone) == (None, None, has_begun)
        assert row.next_attempt_at < timezone.now() + timedelta(seconds=6)

    @pytest.mark.django_db(transaction=True)
    def test_events_that_could_not_join_together_join_one_by_one(self, post, connect, monkeypatch):
        def gone(joiners):
            raise InterfaceError("connection already closed")

        connect(signals.ticket_changed, lambda **kwargs: None, settle=30)
        monkeypatch.setattr(joins, "join", gone)
        post(ticket())
        post(ticket())
        assert dispatcher.wait_until_idle(10)
        assert statuses() == ["waiting"] * 2


class TestAgain:
    """An event comes again."""

    @pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 2}])
    def test_delivered_again_after_it_was_handled_and_that_was_undone(
        self, post, connect, calls, options
    ):
        def fails_at_first(events, **kwargs):
            calls.append(len(events))
            if len(calls) < 3:
                raise ValueError("not yet")

        connect(signals.ticket_changed, fails_at_first, **options)
        one, two = ticket(), ticket()
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 1}):
            post(one)
            post(two)
            dispatch_due(later=SETTLED, raises=False)
            event = Event.objects.order_by("pk").first()
            assert event.handle(who="anna", reason="no")
            post(one)
            assert event.undo_handled(who="anna")
            post(one)
            post(two)
            for _ in range(3):
                dispatch_due(later=timedelta(hours=1), raises=False)
            post(one)
            post(two)
            for _ in range(3):
                dispatch_due(later=timedelta(hours=1), raises=False)
        assert statuses() == ["succeeded"] * 2
        assert nothing_is_left()
        assert not ReceiverRun.objects.filter(counts_in_group=True).exists()

    @override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 1})
    def test_a_batch_that_is_to_wait_without_an_attempt_left_is_halved(self, post, connect, calls):
        def later(events, **kwargs):
            calls.append(len(events))
            raise RetryLater(60)

        connect(signals.ticket_changed, later, batch=2)
        post(ticket())
        post(ticket())
        assert (calls, statuses()) == ([2, 1, 1], ["failed"] * 2)
        assert nothing_is_left()

    @override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 3})
    @pytest.mark.parametrize("error", [ValueError("never"), RetryLater(60)])
    def test_what_settled_and_failed_for_good_is_not_called_with_a_retry_of_another(
        self, post, connect, calls, error
    ):
        def settles(events, **kwargs):
            calls.append(len(events))
            raise error

        def waits(event, **kwargs):
            if event.attempts < 3:
                raise RetryLater(9 * 24 * 3600)

        connect(signals.ticket_changed, settles, settle=30)
        connect(signals.ticket_changed, waits)
        post(ticket())
        for _ in range(20):
            dispatch_due(later=timedelta(days=2), raises=False)
        assert statuses() == ["failed"]
        assert nothing_is_left()
        assert calls == [1, 1, 1]
        last = ReceiverRun.objects.exclude(with_event=None).latest("pk")
        assert last.outcome == "failed"

    @override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 2})
    @pytest.mark.parametrize("error", [ValueError("never"), RetryLater(60)])
    def test_what_settled_and_failed_for_good_is_called_again_if_it_is_delivered_again(
        self, post, connect, calls, error
    ):
        def settles(events, **kwargs):
            calls.append(len(events))
            raise error

        connect(signals.ticket_changed, settles, settle=30)
        one = ticket()
        post(one)
        for _ in range(4):
            dispatch_due(later=timedelta(days=2), raises=False)
        assert (calls, statuses()) == ([1, 1], ["failed"])
        post(one)
        for _ in range(4):
            dispatch_due(later=timedelta(days=2), raises=False)
        assert len(calls) > 2
        assert statuses() == ["failed"]


@pytest.mark.slow
def test_ten_thousand_events_of_a_record_are_one_call(post, connect, calls):
    def settles(events, **kwargs):
        calls.append(len(events))

    connect(signals.ticket_changed, settles, settle=30)
    post(ticket())
    event, run = Event.objects.get(), ReceiverRun.objects.get()
    first, many = event.pk, members.MAX_MEMBERS
    columns = {f.attname: getattr(event, f.attname) for f in Event._meta.concrete_fields}
    del columns["id"]
    Event.objects.bulk_create(
        [Event(**{**columns, "event_id": uuid.uuid4()}) for _ in range(many)], batch_size=500
    )
    columns = {f.attname: getattr(run, f.attname) for f in ReceiverRun._meta.concrete_fields}
    del columns["id"]
    ReceiverRun.objects.bulk_create(
        [ReceiverRun(**{**columns, "event_id": key}) for key in keys() if key != first],
        batch_size=500,
    )
    Gathering.objects.update(events=many + 1)
    dispatch_due(later=SETTLED)
    assert calls == [many, 1]
    assert set(statuses()) == {"succeeded"}
    assert nothing_is_left()
