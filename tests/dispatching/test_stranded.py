"""Events that wait for a gathering that is gone come back into the queue."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.dispatcher.stranded import StrandedLook
from superoffice_hooks.models import Event, Gathering, ReceiverRun, stranded
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET
from .test_gathering import outcomes, statuses, ticket

pytestmark = pytest.mark.django_db

WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})
LATER = timedelta(minutes=10)


@pytest.fixture
def calls() -> list[int]:
    return []


@pytest.fixture(params=[{"settle": 30}, {"batch": 9}], ids=str)
def gathers(request, connect, calls):
    return connect(
        signals.ticket_changed, lambda events, **kwargs: calls.append(len(events)), **request.param
    )


def delete_in_the_orm() -> None:
    Gathering.objects.all().delete()


def delete_in_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM superoffice_hooks_gathering")


def take_out_of_the_queue() -> None:
    Gathering.objects.update(next_attempt_at=None)


def delete_the_runs_too() -> None:
    """Where the tables are truncated together."""
    ReceiverRun.objects.all().delete()
    Gathering.objects.all().delete()


@pytest.mark.parametrize(
    "strand", [delete_in_the_orm, delete_in_sql, take_out_of_the_queue, delete_the_runs_too]
)
def test_what_waited_for_a_gathering_that_is_gone_is_dispatched(post, gathers, calls, strand):
    post(ticket())
    post(ticket())
    dispatch_due()
    assert statuses() == ["waiting"] * 2
    strand()
    assert StrandedLook().take_turn() == 2
    assert statuses() == ["pending"] * 2
    Gathering.objects.all().delete()
    dispatch_due()
    dispatch_due(later=LATER)
    assert statuses() == ["succeeded"] * 2
    assert sum(calls) == 2
    assert outcomes().count("succeeded") == 2
    assert not ReceiverRun.objects.exclude(gathering=None).exists()


def test_what_waits_for_a_gathering_that_is_there_is_left_alone(post, gathers, calls):
    post(ticket())
    dispatch_due()
    before = Event.objects.values().get()
    assert StrandedLook().take_turn() == 0
    assert Event.objects.values().get() == before


def test_the_other_receivers_of_the_event_are_not_called_again(post, connect, calls):
    connect(signals.ticket_changed, lambda events, **kwargs: calls.append("gone"), settle=30)

    def other(events, **kwargs):
        calls.append("other")

    def plain(**kwargs):
        calls.append("plain")

    connect(signals.ticket_changed, other, settle=30)
    connect(signals.ticket_changed, plain)
    post(ticket())
    dispatch_due()
    assert (calls, statuses()) == (["plain"], ["waiting"])
    Gathering.objects.exclude(receiver__endswith="other").delete()
    # The one that is left is called first, and then nothing is awaited any more.
    assert StrandedLook().take_turn() == 0
    dispatch_due(later=timedelta(minutes=1))
    assert (calls, statuses()) == (["plain", "other"], ["waiting"])
    assert StrandedLook().take_turn() == 1
    dispatch_due()
    dispatch_due(later=LATER)
    assert (calls, statuses()) == (["plain", "other", "gone"], ["succeeded"])


def test_an_event_whose_receiver_is_not_connected_any_more_fails(post, connect, gathers, calls):
    post(ticket())
    dispatch_due()
    Gathering.objects.all().delete()
    signals.ticket_changed.disconnect(gathers)
    assert StrandedLook().take_turn() == 1
    dispatch_due(raises=False)
    assert (calls, statuses()) == ([], ["failed"])


def test_no_attempt_is_used_up(post, connect, settings, calls):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 1}
    connect(signals.ticket_changed, lambda events, **kwargs: calls.append(len(events)), settle=30)
    post(ticket())
    for _ in range(3):
        dispatch_due()
        Gathering.objects.all().delete()
        assert StrandedLook().take_turn() == 1
    dispatch_due()
    dispatch_due(later=LATER)
    assert (calls, statuses()) == ([1], ["succeeded"])


def test_each_waiting_event_is_looked_at_some_at_each_turn(post, gathers):
    for _ in range(5):
        post(ticket())
    dispatch_due()
    Event.objects.update(received_at="2026-01-01T00:00Z")
    look = StrandedLook(at_once=2)
    assert [look.take_turn() for _ in range(2)] == [0, 0]
    Gathering.objects.all().delete()
    brought = [look.take_turn() for _ in range(2)]
    # The round is over, and the next one comes in a minute.
    assert brought == [1, 0]
    assert look.take_turn() == 0
    another = StrandedLook(at_once=2)
    assert [another.take_turn() for _ in range(3)] == [2, 2, 0]
    assert statuses() == ["pending"] * 5


def test_one_that_was_called_meanwhile_is_left_alone(post, gathers):
    post(ticket())
    dispatch_due()
    key = Event.objects.get().pk
    dispatch_due(later=timedelta(minutes=30))
    assert stranded.bring_back([key]) == 0
    assert statuses() == ["succeeded"]


@pytest.mark.django_db(transaction=True)
@WORKER
def test_a_dispatcher_brings_it_back(post, connect, calls):
    connect(signals.ticket_changed, lambda events, **kwargs: calls.append(len(events)), settle=30)
    post(ticket())
    dispatch_due()
    assert statuses() == ["waiting"]
    Gathering.objects.all().delete()
    call_command("superoffice_dispatch")
    dispatch_due(later=LATER)
    assert (calls, statuses()) == ([1], ["succeeded"])
    assert outcomes() == ["postponed", "succeeded"]
