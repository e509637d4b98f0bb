"""Joining: which gathering an event is counted in, and when that is due."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.dispatching.joining import join_unclaimed
from superoffice_hooks.models import Event, Gathering
from superoffice_hooks.models.claiming import Taker, take_rows

from ..conftest import body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_dispatched(settings):
    settings.SUPEROFFICE_HOOKS = settings.SUPEROFFICE_HOOKS | {"DISPATCH": "worker"}


def settles(**kwargs):
    pass


def join() -> None:
    joined, _is_all = join_unclaimed(Taker(Event), 50)
    assert joined


@pytest.mark.parametrize("number", [0, 7])
def test_an_event_without_an_entity_is_of_no_record_though_it_has_a_number(post, connect, number):
    connect(signals.any_event, settles, settle=30)
    for _ in range(2):
        post(body("", PrimaryKey=number, ContextIdentifier=""))
    join()
    gatherings = Gathering.objects.order_by("pk")
    assert [row.events for row in gatherings] == [1, 1]
    assert {row.primary_key for row in gatherings} == {-event.pk for event in Event.objects.all()}
    assert not any(row.is_batch or row.is_of_record for row in gatherings)


@pytest.mark.parametrize("order", [("priority", "title"), ("title", "priority")])
def test_of_two_connections_of_a_function_the_shortest_times_count(post, connect, order):
    for name, settle, at_most in [("priority", 60, 900), ("title", 20, 2000)]:
        times = {"settle": settle, "at_most": at_most}
        connect(signals.ticket_changed, settles, dispatch_uid=name, fields={name}, **times)
    for name in order:
        post(body(PrimaryKey=1, Changes=[name]))
    join()
    gathering = Gathering.objects.get()
    began = gathering.first_event_at
    assert gathering.events == 2
    assert (gathering.quiet_at - began).total_seconds() == pytest.approx(20, abs=1)
    assert (gathering.call_by - began).total_seconds() == pytest.approx(900, abs=1)
    assert gathering.next_attempt_at == gathering.quiet_at


def test_an_event_that_joins_what_was_claimed_and_not_begun_leaves_the_claim_as_it_is(
    post, connect
):
    connect(signals.ticket_changed, settles, settle=30)
    post(body(PrimaryKey=1))
    join()
    Gathering.objects.update(next_attempt_at=Gathering.objects.get().first_event_at)
    (claimed,) = take_rows(Gathering, 1)
    before = Gathering.objects.get()
    assert (before.claim, before.attempts, before.begun_at) == (claimed.claim, 0, None)
    post(body(PrimaryKey=1))
    join()
    after = Gathering.objects.get()
    assert after.events == 2
    assert (after.claim, after.next_attempt_at) == (before.claim, before.next_attempt_at)
