"""Gathered calls: one for the events of a record that has settled, or for a batch."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.dispatching.gathered import GatheredCall
from superoffice_hooks.dispatching.in_thread import dispatch_now
from superoffice_hooks.exceptions import Failed, GiveUp, RetryLater
from superoffice_hooks.models import Event, FailureGroup, Gathering, ReceiverRun, steps
from superoffice_hooks.models.claiming import take_rows
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.replay import running
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db

SETTLED = timedelta(seconds=31)


def ticket(
    number: int = 1, changes: tuple[str, ...] = ("priority",), name="ticket.changed"
) -> bytes:
    return body(name, PrimaryKey=number, Changes=list(changes))


def outcomes(receiver=None) -> list[str]:
    runs = ReceiverRun.objects.order_by("event_id", "pk")
    if receiver:
        runs = runs.filter(receiver=dotted_path(receiver))
    return list(runs.values_list("outcome", flat=True))


def statuses() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("status", flat=True))


@pytest.fixture
def calls() -> list[Any]:
    return []


@pytest.fixture
def settling(connect, calls):
    def settles(event, events, changes, replay, **kwargs):
        calls.append(([e.pk for e in events], event.pk, changes, replay))

    return connect(signals.ticket_changed, settles, settle=30, at_most=300)


@pytest.fixture
def batched(connect, calls):
    def takes(events, changes, replay, **kwargs):
        calls.append([e.pk for e in events])

    return connect(signals.any_event, takes, batch=3)


def keys() -> list[int]:
    return list(Event.objects.order_by("pk").values_list("pk", flat=True))


class TestSettle:
    """Once per record, when it has been quiet."""

    def test_the_events_of_a_record_are_one_call(self, post, settling, calls):
        for changes in (("priority",), ("Status", "priority"), ("title",)):
            post(ticket(1, changes))
        post(ticket(2))
        assert statuses() == ["waiting"] * 4
        assert (calls, outcomes()) == ([], ["joined"] * 4)
        assert Gathering.objects.count() == 2
        dispatched = dispatch_due(later=SETTLED)
        one, two, three, other = keys()
        assert calls == [
            ([one, two, three], three, ("priority", "Status", "title"), None),
            ([other], other, ("priority",), None),
        ]
        assert [event.pk for event in dispatched] == [one, two, three, other]
        assert statuses() == ["succeeded"] * 4
        assert outcomes() == ["succeeded"] * 4
        runs = ReceiverRun.objects.order_by("event_id")
        assert [run.with_event for run in runs] == [three, three, three, other]
        assert not Gathering.objects.exists()
        assert not ReceiverRun.objects.exclude(gathering=None).exists()

    def test_each_event_puts_the_call_off_up_to_at_most(self, post, settling, calls):
        post(ticket())
        gathering = Gathering.objects.get()
        assert gathering.next_attempt_at == gathering.quiet_at
        dispatch_due(later=timedelta(seconds=20))
        post(ticket())
        dispatch_due(later=timedelta(seconds=20))
        assert calls == []
        gathering = Gathering.objects.get()
        assert gathering.events == 2
        Gathering.objects.update(call_by=gathering.first_event_at + timedelta(seconds=45))
        post(ticket())
        gathering = Gathering.objects.get()
        assert gathering.next_attempt_at == gathering.call_by < gathering.quiet_at
        dispatch_due(later=timedelta(seconds=6))
        assert len(calls) == 1

    def test_an_event_without_a_record_settles_by_itself(self, post, settling, calls):
        for _ in range(2):
            post(body(PrimaryKey=None))
        dispatch_due(later=SETTLED)
        assert [call[0] for call in calls] == [[key] for key in keys()]

    def test_records_of_two_tenants_are_two(self, post, settling, calls):
        post(body(PrimaryKey=1, ContextIdentifier="Cust1"))
        post(body(PrimaryKey=1, ContextIdentifier="Cust2"))
        dispatch_due(later=SETTLED)
        assert len(calls) == 2

    def test_filters_say_which_events_join(self, post, connect, calls):
        def filtered(event, events, changes, **kwargs):
            calls.append((len(events), changes))

        connect(signals.ticket_changed, filtered, settle=30, fields={"status"})
        post(ticket(1, ("priority",)))
        post(ticket(1, ("priority", "STATUS")))
        assert statuses() == ["skipped", "waiting"]
        dispatch_due(later=SETTLED)
        assert calls == [(1, ("STATUS",))]

    def test_a_filter_with_code_is_tried_in_an_attempt(self, post, connect, calls):
        def filtered(events, changes, **kwargs):
            calls.append(changes)

        connect(signals.ticket_changed, filtered, settle=30, fields=lambda event: {"status"})
        post(ticket(1, ("status",)))
        assert statuses() == ["waiting"]
        dispatch_due(later=SETTLED)
        assert calls == [("status",)]
        assert statuses() == ["succeeded"]

    def test_events_are_read_when_they_are_used(
        self, post, connect, calls, django_assert_num_queries
    ):
        def looks(events, event, **kwargs):
            calls.append((len(events), events[-1] == event, [e.changes for e in events[:1]]))

        connect(signals.ticket_changed, looks, settle=30)
        post(ticket(1, ("status",)))
        post(ticket(1, ("priority",)))
        dispatch_due(later=SETTLED)
        assert calls == [(2, True, [("status",)])]

    def test_the_difference_is_from_before_the_first_to_after_the_last(self, post, connect, calls):
        def compares(event, **kwargs):
            calls.append({name: (c.before, c.after) for name, c in event.diff().items()})

        for value in (1, 2, 3):
            post(body(PrimaryKey=1, Changes=["Priority"], FieldValues={"Priority": value}))
            if value == 1:
                connect(signals.ticket_changed, compares, settle=30)
        dispatch_due(later=SETTLED)
        assert calls == [{"Priority": (1, 3)}]

    def test_other_receivers_are_called_at_once(self, post, connect, settling, calls):
        connect(signals.any_event, lambda event, **kwargs: calls.append("at once"))
        post(ticket())
        assert calls == ["at once"]
        assert statuses() == ["waiting"]
        dispatch_due(later=SETTLED)
        assert (len(calls), statuses()) == (2, ["succeeded"])
        assert Event.objects.get().finished_at

    def test_a_failed_call_is_tried_again_with_what_has_come_meanwhile(self, post, connect, calls):
        def fails_first(events, **kwargs):
            Group.objects.create(name=str(len(calls)))
            calls.append([e.pk for e in events])
            if len(calls) == 1:
                raise ValueError("not yet")

        connect(signals.ticket_changed, fails_first, settle=30)
        post(ticket())
        post(ticket())
        dispatch_due(later=SETTLED, raises=False)
        assert statuses() == ["waiting"] * 2
        assert outcomes() == ["joined", "failed", "joined"]
        assert not Group.objects.exists()
        due = Gathering.objects.get().next_attempt_at
        post(ticket())
        assert Gathering.objects.get().next_attempt_at == due
        group = FailureGroup.objects.get()
        assert group.runs.filter(counts_in_group=True).count() == 1
        dispatch_due(later=timedelta(hours=1))
        assert calls == [keys()[:2], keys()]
        assert statuses() == ["succeeded"] * 3
        assert outcomes() == ["succeeded", "failed", "succeeded", "succeeded"]
        assert group.runs.filter(counts_in_group=True).count() == 0
        assert Group.objects.count() == 1

    @pytest.mark.usefixtures("one_attempt")
    def test_the_last_failure_is_that_of_every_event(self, post, connect, calls):
        def fails(**kwargs):
            raise ValueError("never")

        connect(signals.ticket_changed, fails, settle=30)
        failed = []
        connect(signals.event_failed, lambda event, **kwargs: failed.append(event.pk))
        post(ticket())
        post(ticket())
        dispatch_due(later=SETTLED, raises=False)
        assert statuses() == ["failed"] * 2
        assert outcomes() == ["failed"] * 2
        assert sorted(failed) == keys()
        assert FailureGroup.objects.get().runs.filter(counts_in_group=True).count() == 2
        assert not Gathering.objects.exists()

    def test_giving_up_is_final(self, post, connect):
        def gives_up(**kwargs):
            raise GiveUp("no")

        connect(signals.ticket_changed, gives_up, settle=30)
        post(ticket())
        dispatch_due(later=SETTLED, raises=False)
        assert (statuses(), outcomes()) == (["failed"], ["gave_up"])

    def test_a_retry_comes_when_the_receiver_wants_it(self, post, connect, calls):
        def later(**kwargs):
            calls.append(1)
            raise RetryLater(1000)

        connect(signals.ticket_changed, later, settle=30)
        post(ticket())
        dispatch_due(later=SETTLED, raises=False)
        dispatch_due(later=timedelta(seconds=900), raises=False)
        assert len(calls) == 1
        dispatch_due(later=timedelta(seconds=300), raises=False)
        assert len(calls) == 2

    def test_the_failure_of_another_receiver_is_its_own(self, post, connect, settling, calls):
        def fails(**kwargs):
            raise ValueError("never")

        connect(signals.any_event, fails)
        post(ticket())
        assert statuses() == ["pending"]
        assert sorted(outcomes()) == ["failed", "joined"]
        dispatch_due(later=SETTLED, raises=False)
        assert len(calls) == 1
        assert outcomes(settling) == ["succeeded"]
        assert statuses() == ["pending"]
        for _ in range(10):
            dispatch_due(later=timedelta(days=2), raises=False)
        assert (statuses(), len(calls)) == (["failed"], 1)

    def test_a_call_during_an_attempt_finishes_the_event_once(self, post, connect, settling, calls):
        def lets_it_settle(event, **kwargs):
            calls.append("other")
            if calls.count("other") == 1:
                raise RetryLater(60)
            Gathering.objects.update(next_attempt_at=event.received_at)
            (gathering,) = take_rows(Gathering, 1)
            GatheredCall(gathering).make()

        connect(signals.any_event, lets_it_settle)
        post(ticket())
        assert statuses() == ["pending"]
        event = Event.objects.get()
        event_due = timedelta(hours=1)
        Gathering.objects.update(next_attempt_at=event.received_at + timedelta(days=9))
        dispatch_due(later=event_due)
        assert statuses() == ["succeeded"]
        assert outcomes(settling) == ["succeeded"]
        assert not Gathering.objects.exists()

    def test_newcomers_of_a_call_are_in_the_next_one(self, post, connect, calls):
        def posts(events, **kwargs):
            calls.append(len(events))
            if len(calls) == 1:
                post(ticket())

        connect(signals.ticket_changed, posts, settle=30)
        post(ticket())
        dispatch_due(later=SETTLED)
        assert (calls, sorted(statuses())) == ([1], ["succeeded", "waiting"])
        gathering = Gathering.objects.get()
        assert (gathering.events, gathering.claim, gathering.attempts) == (1, None, 0)
        dispatch_due(later=SETTLED)
        assert (calls, statuses()) == ([1, 1], ["succeeded"] * 2)

    def test_a_receiver_that_is_gone_fails_in_the_end(self, post, settling, calls):
        post(ticket())
        signals.ticket_changed.disconnect(settling)
        dispatch_due(later=SETTLED)
        assert statuses() == ["waiting"]
        for _ in range(10):
            dispatch_due(later=timedelta(days=2))
        assert (statuses(), outcomes()) == (["failed"], ["gave_up"])
        assert "No receiver is connected" in ReceiverRun.objects.get().error

    def test_one_that_does_not_settle_any_more_is_called_for_each(
        self, post, connect, settling, calls
    ):
        post(ticket())
        post(ticket())
        signals.ticket_changed.disconnect(settling)

        def settles(event, **kwargs):
            calls.append(event.pk)

        settles.__qualname__ = settling.__qualname__
        connect(signals.ticket_changed, settles)
        dispatch_due(later=SETTLED)
        assert calls == keys()
        assert statuses() == ["succeeded"] * 2

    def test_deleted_events_leave_no_gathering(self, post, settling, calls):
        post(ticket())
        Event.objects.all().delete()
        dispatch_due(later=SETTLED)
        assert (calls, Gathering.objects.count()) == ([], 0)

    def test_a_waiting_event_is_busy_for_a_replay(self, post, settling, calls):
        post(ticket())
        replay = running.replay(running.plan(running.Criteria(), who="anna", reason="test"))
        assert (calls, replay.busy) == ([], 1)

    def test_a_replay_calls_it_for_each_event(self, post, settling, calls):
        for _ in range(2):
            post(ticket())
        dispatch_due(later=SETTLED)
        calls.clear()
        replay = running.replay(running.plan(running.Criteria(), who="anna", reason="test"))
        assert [call[0] for call in calls] == [[key] for key in keys()]
        assert replay.done == 2

    def test_a_redelivery_changes_nothing(self, post, settling, calls):
        sent = ticket()
        post(sent)
        post(sent)
        assert (statuses(), Gathering.objects.get().events) == (["waiting"], 1)

    def test_with_order_the_next_event_does_not_wait(self, post, settling, calls):
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "ORDERED": True}):
            post(ticket())
            post(ticket())
            assert statuses() == ["waiting"] * 2
            dispatch_due(later=SETTLED)
        assert len(calls) == 1


class TestBatch:
    """So many at once."""

    def test_the_event_that_fills_it_is_dispatched_with_it(self, post, batched, calls):
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
            for _ in range(3):
                post(ticket())
            for number, event in enumerate(Event.objects.order_by("pk")):
                assert not calls, number
                # As a task does.
                dispatch_now(event)
        assert calls == [keys()]
        assert statuses() == ["succeeded"] * 3

    def test_a_full_batch_is_called_at_once(self, post, batched, calls):
        for number in range(3):
            post(ticket(number))
        assert calls == [keys()]
        assert (statuses(), outcomes()) == (["succeeded"] * 3, ["succeeded"] * 3)
        assert not Gathering.objects.exists()

    def test_the_rest_is_called_within_some_seconds(self, post, batched, calls):
        for number in range(4):
            post(ticket(number))
        assert statuses()[-1] == "waiting"
        dispatch_due(later=timedelta(seconds=6))
        assert calls == [keys()[:3], keys()[3:]]

    def test_the_guilty_event_stands_alone_and_fails_alone(self, post, connect, calls):
        def fails_for_two(events, **kwargs):
            calls.append([e.primary_key for e in events])
            Group.objects.bulk_create(Group(name=f"{e.primary_key} {len(calls)}") for e in events)
            if any(e.primary_key == 2 for e in events):
                raise ValueError("two")

        connect(signals.any_event, fails_for_two, batch=4)
        for number in range(4):
            post(ticket(number))
        assert calls == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]
        assert statuses() == ["succeeded", "succeeded", "pending", "succeeded"]
        assert outcomes() == ["succeeded", "succeeded", "failed", "succeeded"]
        assert Group.objects.count() == 3
        assert not Gathering.objects.exists()
        calls.clear()
        for _ in range(10):
            dispatch_due(later=timedelta(days=2), raises=False)
        assert calls == [[2]] * (len(calls))
        assert 1 < len(calls) < 9
        assert statuses()[2] == "failed"
        assert set(outcomes()[2:-1]) == {"failed"}

    @pytest.mark.usefixtures("one_attempt")
    def test_without_another_attempt_the_event_has_failed(self, post, connect):
        def fails(**kwargs):
            raise ValueError("never")

        connect(signals.any_event, fails, batch=2)
        post(ticket(1))
        post(ticket(2))
        assert (statuses(), outcomes()) == (["failed"] * 2, ["failed"] * 2)

    def test_the_receiver_may_name_what_failed(self, post, connect, calls):
        def names(events, **kwargs):
            calls.append(len(events))
            Group.objects.bulk_create(Group(name=f"{e.primary_key} {len(calls)}") for e in events)
            raise Failed({events[1]: ValueError("one"), events[2]: GiveUp("no")})

        connect(signals.any_event, names, batch=4)
        for number in range(4):
            post(ticket(number))
        assert calls == [4]
        assert statuses() == ["succeeded", "pending", "failed", "succeeded"]
        assert outcomes() == ["succeeded", "failed", "gave_up", "succeeded"]
        assert Group.objects.count() == 4
        assert ReceiverRun.objects.get(event=keys()[1]).error == "ValueError: one"
        assert not Gathering.objects.exists()

    def test_a_broken_transaction_is_halved_all_the_same(self, post, connect, calls):
        def breaks(events, **kwargs):
            calls.append(len(events))
            if len(events) > 1:
                transaction.set_rollback(True)
                raise Failed({events[0]: ValueError("one")})

        connect(signals.any_event, breaks, batch=2)
        post(ticket(1))
        post(ticket(2))
        assert calls == [2, 1, 1]
        assert statuses() == ["succeeded"] * 2

    def test_without_a_transaction_it_is_called_at_least_once(self, post, connect, calls):
        def takes(events, **kwargs):
            calls.append(len(events))

        connect(signals.any_event, takes, batch=2, atomic=False)
        post(ticket(1))
        post(ticket(2))
        assert (calls, statuses()) == ([2], ["succeeded"] * 2)

    def test_one_whose_process_ended_is_called_for_each_by_itself(self, post, batched, calls):
        post(ticket(1))
        post(ticket(2))
        Gathering.objects.update(next_attempt_at=Event.objects.first().received_at)
        (gathering,) = take_rows(Gathering, 1)
        steps.begin(gathering, calling="x", alone=False).apply()
        Gathering.objects.update(
            next_attempt_at=Event.objects.first().received_at,
            frozen_to=ReceiverRun.objects.order_by("pk").last().pk,
        )
        post(ticket(3))
        dispatch_due()
        assert calls == [[key] for key in keys()[:2]]
        assert statuses() == ["succeeded", "succeeded", "waiting"]
        dispatch_due(later=timedelta(seconds=6))
        assert statuses() == ["succeeded"] * 3
        assert outcomes() == ["postponed", "succeeded"] * 2 + ["succeeded"]

    def test_a_replay_calls_it_for_each_event_and_takes_failed(self, post, connect, calls):
        def names(events, **kwargs):
            calls.append(len(events))
            if len(events) == 1:
                raise Failed({events[0]: ValueError("alone")})

        connect(signals.any_event, names, batch=2)
        post(ticket(1))
        post(ticket(2))
        replay = running.replay(running.plan(running.Criteria(), who="anna", reason="test"))
        assert (calls, replay.failed) == ([2, 1, 1], 2)
        assert set(replay.runs.values_list("error", flat=True)) == {"ValueError: alone"}


class TestClaims:
    """A call whose claim was lost changes nothing."""

    @pytest.mark.parametrize("atomic", [True, False])
    def test_what_it_did_is_undone(self, post, connect, calls, atomic):
        def loses(events, **kwargs):
            calls.append(len(events))
            Group.objects.create(name="done")
            Gathering.objects.update(claim=1)

        connect(signals.ticket_changed, loses, settle=30, atomic=atomic)
        post(ticket())
        dispatch_due(later=SETTLED)
        assert calls == [1]
        assert statuses() == ["waiting"]
        assert outcomes() == ["joined"]
        assert Group.objects.exists() is not atomic

    def test_an_event_joins_once(self, post, settling):
        post(ticket())
        run = ReceiverRun.objects.get()
        run.pk = None
        with pytest.raises(DatabaseError), transaction.atomic():
            run.save(force_insert=True)
