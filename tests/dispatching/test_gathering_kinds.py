"""Gathered calls that end in unusual ways: each event is still accounted for."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.exceptions import Failed, RetryLater
from superoffice_hooks.models import Event, FailureGroup, Gathering, ReceiverRun
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET, body
from ..copies import copies
from .test_gathering import SETTLED, keys, outcomes, statuses, ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls() -> list[Any]:
    return []


class _Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class TestSettle:
    """Once per record."""

    def test_failed_is_a_failure_of_all_events(self, post, connect, calls):
        def names(events, **kwargs):
            calls.append(len(events))
            Group.objects.create(name="done")
            if len(calls) == 1:
                raise Failed({event: ValueError("one") for event in events[:2]})

        connect(signals.ticket_changed, names, settle=30)
        for _ in range(3):
            post(ticket())
        dispatch_due(later=SETTLED, raises=False)
        assert (statuses(), outcomes()) == (["waiting"] * 3, ["joined"] * 2 + ["failed", "joined"])
        assert not Group.objects.exists()
        dispatch_due(later=timedelta(hours=1))
        assert (calls, statuses()) == ([3, 3], ["succeeded"] * 3)

    def test_the_difference_ends_with_the_last_value_that_was_sent(self, post, connect, calls):
        def compares(event, **kwargs):
            calls.append({name: (c.before, c.after) for name, c in event.diff().items()})

        post(
            body(
                PrimaryKey=1, Changes=["Priority", "Title"], FieldValues={"Priority": 1, "Title": 2}
            )
        )
        connect(signals.ticket_changed, compares, settle=30)
        post(
            body(
                PrimaryKey=1, Changes=["Priority", "Title"], FieldValues={"Priority": 3, "Title": 4}
            )
        )
        post(body(PrimaryKey=1, Changes=["title"], FieldValues={"title": 5}))
        post(body(PrimaryKey=1, Changes=["Status"], FieldValues={"Status": 6}))
        dispatch_due(later=SETTLED)
        assert calls == [{"Priority": (1, 3), "Title": (2, 5), "Status": (None, 6)}]

    def test_a_coroutine_function_gets_a_list_of_any_length(self, post, connect, calls):
        async def receives(event, events, **kwargs):
            calls.append([e.pk for e in events])

        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
            post(ticket())
            copies(Event.objects.get(), 100)
            connect(signals.ticket_changed, receives, settle=30)
            dispatch_due()
            dispatch_due(later=SETTLED)
        assert (calls, statuses()) == ([keys()], ["succeeded"] * 101)

    def test_an_event_that_is_revived_counts_in_no_group_after_its_success(
        self, post, connect, calls
    ):
        def fails_at_first(events, **kwargs):
            calls.append(len(events))
            if len(calls) == 1:
                raise ValueError("not yet")

        connect(signals.ticket_changed, fails_at_first, settle=30)
        sent = ticket()
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 1}):
            post(sent)
            dispatch_due(later=SETTLED, raises=False)
            assert statuses() == ["failed"]
            post(sent)
            assert statuses() == ["waiting"]
            dispatch_due(later=SETTLED, raises=False)
        assert (calls, statuses()) == ([1, 1], ["succeeded"])
        assert FailureGroup.objects.get().runs.filter(counts_in_group=True).count() == 0

    def test_earlier_failures_of_a_revived_event_are_not_those_of_others(
        self, post, connect, calls
    ):
        def fails(events, **kwargs):
            calls.append(len(events))
            raise ValueError("never")

        connect(signals.ticket_changed, fails, settle=30)
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 2}):
            sent = ticket()
            post(sent)
            for _ in range(3):
                dispatch_due(later=timedelta(days=1), raises=False)
            assert (calls, statuses()) == ([1, 1], ["failed"])
            post(sent)
            post(ticket())
            dispatch_due(later=SETTLED, raises=False)
            assert (calls, statuses()) == ([1, 1, 2], ["waiting"] * 2)
            for _ in range(3):
                dispatch_due(later=timedelta(days=1), raises=False)
        assert (calls, statuses()) == ([1, 1, 2, 2], ["failed"] * 2)
        assert not Gathering.objects.exists()

    def test_more_events_than_one_call_is_for_are_in_the_next(
        self, post, connect, calls, monkeypatch
    ):
        monkeypatch.setattr("superoffice_hooks.models.members.MAX_MEMBERS", 3)

        def settles(events, **kwargs):
            calls.append(len(events))

        connect(signals.ticket_changed, settles, settle=30)
        for _ in range(7):
            post(ticket())
        dispatch_due(later=SETTLED)
        assert (calls, statuses()) == ([3, 3, 1], ["succeeded"] * 7)
        assert not Gathering.objects.exists()


class TestEither:
    """Whatever the kind."""

    @pytest.mark.parametrize(
        "options", [{"settle": 30}, {"batch": 2}, {"batch": 2, "atomic": False}]
    )
    def test_an_error_without_text_is_a_failure(self, post, connect, options):
        def raises(**kwargs):
            raise _Silent

        connect(signals.ticket_changed, raises, **options)
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 1}):
            post(ticket())
            post(ticket())
            dispatch_due(later=SETTLED, raises=False)
        assert (statuses(), outcomes()) == (["failed"] * 2, ["failed"] * 2)

    @pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 2}])
    def test_a_later_attempt_for_another_receiver_does_not_lose_the_call(
        self, post, connect, calls, options
    ):
        def gathers(events, **kwargs):
            calls.append(len(events))

        def fails_twice(event, **kwargs):
            if event.attempts < 3:
                raise ValueError("not yet")

        connect(signals.any_event, gathers, **options)
        connect(signals.any_event, fails_twice)
        for _ in range(3):
            post(ticket())
        for _ in range(4):
            dispatch_due(later=timedelta(days=1), raises=False)
        assert statuses() == ["succeeded"] * 3
        assert sum(calls) == 3
        assert not Gathering.objects.exists()
        assert not ReceiverRun.objects.exclude(gathering=None).exists()


class TestBatch:
    """So many at once."""

    @pytest.mark.parametrize("atomic", [True, False])
    def test_coroutine_functions_are_awaited(self, post, connect, calls, atomic):
        async def takes(events, **kwargs):
            calls.append([e.pk for e in events])

        connect(signals.any_event, takes, batch=2, atomic=atomic)
        post(ticket(1))
        post(ticket(2))
        assert (calls, statuses()) == ([keys()], ["succeeded"] * 2)

    def test_failures_of_events_of_others_are_halved(self, post, connect, calls):
        foreign = Event(pk=99999)

        def names(events, **kwargs):
            calls.append(len(events))
            raise Failed({foreign: ValueError("whose?"), "x": ValueError("what?")})

        connect(signals.any_event, names, batch=2)
        post(ticket(1))
        post(ticket(2))
        assert (calls, statuses()) == ([2, 1, 1], ["pending"] * 2)

    def test_if_any_of_what_failed_is_no_event_of_the_batch_nobody_has_succeeded(
        self, post, connect, calls
    ):
        """A primary key may stand for the event that it is of."""

        def names(events, **kwargs):
            calls.append(len(events))
            raise Failed({events[0]: ValueError("one"), events[-1].pk: ValueError("two")})

        connect(signals.any_event, names, batch=2)
        post(ticket(1))
        post(ticket(2))
        assert (calls, statuses()) == ([2, 1, 1], ["pending"] * 2)

    def test_what_failed_is_an_exception(self, post, connect, calls):
        def names(events, **kwargs):
            calls.append(len(events))
            raise Failed(dict.fromkeys(events, "bad"))  # type: ignore[arg-type]

        connect(signals.any_event, names, batch=2)
        post(ticket(1))
        post(ticket(2))
        assert (calls, statuses()) == ([2, 1, 1], ["pending"] * 2)
        assert "TypeError" in ReceiverRun.objects.filter(outcome="failed").first().error

    def test_when_all_are_to_wait_none_is_tried_alone(self, post, connect, calls):
        def later(events, **kwargs):
            calls.append(len(events))
            if len(calls) == 1:
                raise RetryLater(60)

        connect(signals.any_event, later, batch=4)
        for number in range(4):
            post(ticket(number))
        assert (calls, statuses()) == ([4], ["waiting"] * 4)
        dispatch_due(later=timedelta(hours=1))
        assert (calls, statuses()) == ([4, 4], ["succeeded"] * 4)


@pytest.mark.django_db(transaction=True)
class TestHooks:
    """What a receiver leaves for after the commit."""

    @pytest.mark.parametrize("options", [{"settle": 0.001}, {"batch": 2}])
    def test_one_that_raises_undoes_nothing(self, post, connect, calls, options):
        def leaves(events, **kwargs):
            calls.append(len(events))
            Group.objects.create(name=f"{len(calls)}")
            transaction.on_commit(lambda: 1 / 0)

        connect(signals.ticket_changed, leaves, **options)
        post(ticket())
        post(ticket())
        dispatch_due(later=SETTLED)
        assert statuses() == ["succeeded"] * 2
        assert outcomes() == ["succeeded"] * 2
        assert Group.objects.count() == len(calls)
        assert all("ZeroDivision" in run.error for run in ReceiverRun.objects.all())
        assert not Gathering.objects.exists()
