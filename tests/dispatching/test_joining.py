"""Joining in bulk, without a claim: what joins, and what is left in the queue."""

import pytest
from django.db import connection

from superoffice_hooks import signals
from superoffice_hooks.dispatching.joining import join_unclaimed
from superoffice_hooks.models import Event, Gathering, ReceiverRun
from superoffice_hooks.models.claiming import Taker, take
from superoffice_hooks.models.joining import ClaimLost, leave_queue

from ..conftest import body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_dispatched(settings):
    settings.SUPEROFFICE_HOOKS = settings.SUPEROFFICE_HOOKS | {"DISPATCH": "worker"}


@pytest.fixture
def batched(connect):
    def takes(events, **kwargs):
        pass

    return connect(signals.ticket_changed, takes, batch=100, fields={"priority", "x y"})


def join(limit: int = 50) -> tuple[int, bool]:
    return join_unclaimed(Taker(Event), limit)


def waiting() -> list[int | None]:
    return [event.primary_key for event in Event.objects.filter(status="waiting").order_by("pk")]


def send(post, number: int, *changes: str, name: str = "ticket.changed") -> None:
    post(body(name, PrimaryKey=number, Changes=list(changes)))


def test_all_that_is_due_joins_with_a_run_for_each(post, batched):
    for number in range(12):
        send(post, number, "priority", "title")
    assert join() == (12, True)
    assert Gathering.objects.get().events == 12
    runs = [(run.event_id, run.outcome, run.attempt) for run in ReceiverRun.objects.order_by("pk")]
    assert runs == [(event.pk, "joined", 0) for event in Event.objects.order_by("pk")]
    assert not Event.objects.filter(next_attempt_at__isnull=False).exists()


def test_no_more_than_the_limit_join_and_the_longest_due_come_first(post, batched):
    for number in range(3):
        send(post, number, "priority")
    assert join(2) == (2, True)
    assert waiting() == [0, 1]


def test_one_of_each_list_of_changed_fields_decides_as_it_was_sent(post, batched):
    # The third and the fourth have the same change set.
    sent = [("priority",), ("title",), ("x  y",), ("x y",), (), ("PRIORITY",)]
    for number, changes in enumerate(sent):
        send(post, number, *changes)
    assert join() == (4, False)
    assert waiting() == [0, 3, 4, 5]
    assert not Event.objects.exclude(claim=None).exists()


def test_what_another_receiver_is_for_stays_in_the_queue(post, batched, connect):
    def takes_one(**kwargs):
        pass

    connect(signals.ticket_created, takes_one)
    send(post, 1, "priority")
    send(post, 2, "priority", name="ticket.created")
    assert join() == (1, False)
    assert waiting() == [1]
    assert Event.objects.get(primary_key=2).next_attempt_at is not None


@pytest.mark.parametrize(
    "columns",
    [{"attempts": 1}, {"deaths": 1}, {"alone": True}],
    ids=["tried", "died", "to be tried alone"],
)
def test_what_was_begun_before_stays_in_the_queue(post, batched, columns):
    send(post, 1, "priority")
    Event.objects.update(**columns)
    assert join() == (0, False)


def test_what_cannot_join_undoes_all(post, batched, connect):
    for number in range(11):
        send(post, number, "priority")
    assert join(1) == (1, True)
    # As no process leaves it: an event in the queue that has joined.
    Event.objects.update(status="pending", next_attempt_at=Event.objects.last().received_at)
    assert join() == (0, False)
    assert not waiting()
    assert ReceiverRun.objects.count() == 1
    assert not connection.needs_rollback


def test_claimed_events_leave_the_queue_together_or_not_at_all(post):
    for number in range(2):
        send(post, number)
    Event.objects.update(alone=True)
    events = take(2)
    leave_queue(events)
    assert waiting() == [0, 1]
    assert not Event.objects.filter(alone=True).exists()
    for lost in (5, None):
        Event.objects.update(status="pending", claim=lost)
        with pytest.raises(ClaimLost):
            leave_queue(events)
