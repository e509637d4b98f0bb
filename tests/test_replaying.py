"""Replaying: the normal dispatch again, with a row that says who, why and what came out."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Replay
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.replaying import Criteria, plan, replay, select

from .conftest import body, documented

pytestmark = pytest.mark.django_db


def run(criteria: Criteria, **options) -> Replay:
    return replay(plan(criteria, who="anna", why="the cause is gone", **options), criteria)


class TestSelecting:
    """All criteria must be met; no criteria mean all events."""

    @pytest.fixture(autouse=True)
    def events(self, post):
        post(documented("seed-ticket.created"))
        post(documented("seed-ticket.changed"))
        post(documented("contact-events-02-contact.changed"))
        post(documented("list-events-03-list.category.softdeleted"))
        post(documented("list-events-06-list.110.softdeleted"))

    @pytest.mark.parametrize(
        ("criteria", "names"),
        [
            ({"name": "ticket.changed"}, ["ticket.changed"]),
            ({"name": "TICKET.*"}, ["ticket.created", "ticket.changed"]),
            (
                {"name": "list.*.softdeleted"},
                ["list.category.softdeleted", "list.110.softdeleted"],
            ),
            ({"name": "*.changed"}, ["ticket.changed", "contact.changed"]),
            ({"name": "ticket"}, []),
            ({"entity": "Ticket"}, ["ticket.created", "ticket.changed"]),
            ({"entity": "ticket", "primary_key": 527331}, ["ticket.created", "ticket.changed"]),
            ({"entity": "contact", "primary_key": 527331}, []),
            ({"primary_key": 994863}, ["contact.changed"]),
            (
                {"tenant": "Cust1234"},
                ["contact.changed", "list.category.softdeleted", "list.110.softdeleted"],
            ),
            ({"changed": ("Priority",)}, ["ticket.changed"]),
            ({"changed": ("priority", "DEPARTMENT")}, ["ticket.changed", "contact.changed"]),
            ({"status": "failed"}, []),
            ({"endpoint": "elsewhere"}, []),
            (
                {"event_ids": (UUID("1fc5752a-6de8-412d-847a-12d5529a0ec6"),)},
                ["ticket.created", "ticket.changed"],
            ),
            ({"limit": 2}, ["ticket.created", "ticket.changed"]),
            ({"name": "list.*", "limit": 1}, ["list.category.softdeleted"]),
        ],
    )
    def test_by(self, criteria, names):
        assert [event.name for event in select(Criteria(**criteria))] == names

    def test_by_primary_keys(self):
        event = Event.objects.named("contact.*").get()
        assert list(select(Criteria(ids=(event.pk,)))) == [event]

    def test_by_time_received_including_the_start_and_not_the_end(self):
        oldest, *_, newest = select(Criteria())
        assert newest not in select(Criteria(until=newest.received_at))
        assert oldest in select(Criteria(since=oldest.received_at))
        assert not select(Criteria(since=timezone.now() + timedelta(hours=1)))

    def test_none_means_all(self):
        assert len(select(Criteria())) == 5
        assert Criteria().given() == {}


def test_replaying_after_the_fix_makes_it_succeeded(post, connect):
    broken = True

    def receive(event, replay, **kwargs):
        if broken:
            raise RuntimeError("the lookup failed")
        Group.objects.create(name=f"{event.name} {replay.who}")

    connect(signals.ticket_changed, receive)
    post(body())
    assert Event.objects.get().status == "failed"
    broken = False
    done = run(Criteria(status="failed"))
    event = Event.objects.get()
    assert (event.status, event.attempts) == ("succeeded", 2)
    assert Group.objects.get().name == "ticket.changed anna"
    assert (done.planned, done.done, done.failed) == (1, 1, 0)
    assert done.finished_at is not None
    first, second = event.runs.all()
    assert (first.outcome, first.replay) == ("failed", None)
    assert (second.outcome, second.replay, second.attempt) == ("succeeded", done, 2)


def test_a_replay_calls_receivers_that_succeeded_before_again(post, connect):
    calls = []
    connect(signals.ticket_changed, lambda replay, **kwargs: calls.append(replay))
    post(body())
    first, second = run(Criteria()), run(Criteria())
    assert calls == [None, first, second]


def test_the_row_says_who_why_and_what(post, connect):
    connect(signals.ticket_changed, lambda **kwargs: None)
    post(documented("seed-ticket.changed"))
    since = timezone.now() - timedelta(hours=1)
    event_id = UUID("1fc5752a-6de8-412d-847a-12d5529a0ec6")
    planned = plan(
        Criteria(event_ids=(event_id,), since=since, primary_key=527331, limit=3),
        who="anna",
        why="the cause is gone",
    )
    stored = Replay.objects.get()
    assert (stored.who, stored.why) == ("anna", "the cause is gone")
    assert stored.criteria == {
        "event_ids": [str(event_id)],
        "since": str(since),
        "primary_key": 527331,
        "limit": 3,
    }
    assert (stored.planned, stored.done, stored.failed, stored.finished_at) == (1, 0, 0, None)
    assert not ReceiverRun.objects.filter(replay=planned).exists()


def test_failures_are_counted_and_stop_nothing(post, connect):
    def choosy(event, **kwargs):
        if event.primary_key == 2:
            raise ValueError(event.primary_key)

    connect(signals.ticket_changed, choosy)
    for number in (1, 2, 3):
        post(body(PrimaryKey=number))
    seen: list[Event] = []
    criteria = Criteria(name="ticket.*")
    done = replay(plan(criteria, who="anna", why=""), criteria, progress=seen.append)
    assert (done.planned, done.done, done.failed) == (3, 2, 1)
    assert [event.primary_key for event in seen] == [1, 2, 3]


class TestChosenReceivers:
    """A replay can be meant for some of the receivers only."""

    @pytest.fixture
    def receivers(self, connect):
        def good(**kwargs):
            Group.objects.create(name=f"good {Group.objects.count()}")

        def bad(**kwargs):
            raise RuntimeError

        connect(signals.ticket_changed, good)
        connect(signals.ticket_changed, bad)
        return dotted_path(good), dotted_path(bad)

    def test_only_they_are_called(self, post, receivers):
        good, _ = receivers
        post(body())
        done = run(Criteria(), receivers=(good,))
        assert done.receivers == [good]
        assert [r.receiver for r in done.runs.all()] == [good]

    def test_an_event_they_are_not_for_stays_as_it_is(self, post, receivers):
        good, _ = receivers
        post(body("contact.changed"))
        done = run(Criteria(), receivers=(good,))
        event = Event.objects.get()
        assert (event.status, event.attempts) == ("skipped", 1)
        assert (done.done, done.failed) == (1, 0)

    def test_who_failed_before_and_was_left_out_keeps_the_event_failed(self, post, receivers):
        good, _ = receivers
        post(body())
        run(Criteria(), receivers=(good,))
        assert Event.objects.get().status == "failed"

    def test_once_the_last_failed_one_succeeds_the_event_has(self, post, connect, receivers):
        _, bad = receivers
        post(body())
        for known in list(signals.connected()):
            if known.path == bad:
                signals.ticket_changed.disconnect(known.function)

        def fixed(**kwargs):
            pass

        fixed.__module__, fixed.__qualname__ = (
            bad.partition(".TestChosen")[0],
            "TestChosen" + bad.partition(".TestChosen")[2],
        )
        connect(signals.ticket_changed, fixed)
        run(Criteria(), receivers=(bad,))
        assert Event.objects.get().status == "succeeded"


def test_an_event_somebody_is_dispatching_is_left_to_them(post, connect):
    calls = []
    connect(signals.ticket_changed, lambda **kwargs: calls.append(1))
    post(body())
    Event.objects.update(status="running", claimed_until=timezone.now() + timedelta(minutes=1))
    done = run(Criteria())
    assert (done.done, done.failed) == (0, 1)
    assert calls == [1]


def test_events_that_arrive_meanwhile_are_not_part_of_it(post, connect):
    def breeding(event, replay, **kwargs):
        if replay:
            post(body(PrimaryKey=event.primary_key + 1))

    connect(signals.ticket_changed, breeding)
    post(body(PrimaryKey=1))
    assert run(Criteria()).done == 1
    assert Event.objects.count() == 2
