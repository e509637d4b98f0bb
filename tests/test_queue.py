"""The queue: one column, claims by token, and steps that say whether they applied."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks.models import Event, queue
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.models.taking import Taker, take

from .conftest import SECRET, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def worker():
    """Nobody dispatches what comes in."""
    hooks = {"SECRETS": [SECRET], "DISPATCH": "worker", "LEASE_SECONDS": 100, "MAX_ATTEMPTS": 3}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield


@pytest.fixture
def due(post):
    """``due(3)`` are so many due events, the longest due first."""

    def make(count: int) -> list[Event]:
        for number in range(count):
            post(body(PrimaryKey=number))
        return list(Event.objects.order_by("pk"))

    return make


def lapse() -> None:
    """Let the leases of all claims end."""
    Event.objects.exclude(next_attempt_at=None).update(next_attempt_at=InSeconds(-1))


def numbers(events) -> list[int]:
    return [event.primary_key for event in events]


def seconds_until(event: Event) -> float:
    """Until it is due, by the database's clock."""
    at, now = (
        Event.objects.annotate(now=InSeconds())
        .values_list("next_attempt_at", "now")
        .get(pk=event.pk)
    )
    return float((at - now).total_seconds())


class TestTaking:
    """Due events are claimed, the longest due first, and nobody else gets them."""

    def test_those_that_are_due_longest_are_taken_first(self, due):
        due(5)
        assert numbers(take(3)) == [0, 1, 2]
        assert numbers(take(3)) == [3, 4]
        assert take(3) == []

    def test_what_was_abandoned_comes_before_what_came_later(self, due):
        due(3)
        (first,) = take(1)
        lapsed = timedelta(hours=1)
        Event.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now() - lapsed)
        assert numbers(take(2)) == [0, 1]

    def test_a_claim_moves_it_a_lease_into_the_future(self, due):
        due(1)
        (event,) = take(1)
        assert 99 < seconds_until(event) <= 100
        assert Event.objects.get().claim == event.claim is not None

    def test_a_claim_is_no_attempt(self, due):
        due(1)
        for _ in range(5):
            (event,) = take(1)
            lapse()
        event = Event.objects.get()
        assert (event.attempts, event.deaths, event.alone, event.begun_at) == (0, 0, False, None)

    def test_when_the_lease_is_over_anybody_may_have_it(self, due):
        due(1)
        (one,) = take(1)
        lapse()
        (other,) = take(1)
        assert one.claim != other.claim

    def test_keys_are_taken_only_if_they_are_due(self, due):
        first, second, _ = due(3)
        Event.objects.filter(pk=first.pk).update(next_attempt_at=InSeconds(60))
        assert take(3, keys=[first.pk, second.pk]) == [second]
        assert take(3, keys=[]) == []

    def test_what_is_finished_is_never_taken(self, due):
        for event in due(2):
            (claimed,) = take(1, keys=[event.pk])
            assert queue.finish(claimed, Event.Status.SUCCEEDED)
        assert take(5) == []
        assert not Event.objects.due().exists()

    def test_one_look_costs_one_statement_on_postgresql(self, due, django_assert_num_queries):
        due(3)
        # Elsewhere: SELECT and UPDATE in a savepoint of the test; SQLite takes its lock first.
        with django_assert_num_queries({"postgresql": 1, "mysql": 4}.get(connection.vendor, 5)):
            assert len(take(3)) == 3

    def test_a_taker_finds_what_is_due_earlier_than_what_it_took_last(self, due):
        due(3)
        taker = Taker()
        assert numbers(taker.take(2)) == [0, 1]
        Event.objects.filter(primary_key=0).update(next_attempt_at=InSeconds(-3600))
        assert numbers(taker.take(1)) == [2]
        assert numbers(taker.take(1)) == [0]


ENDS = {
    "begin": lambda event: queue.begin(event, calling="a.b", alone=False),
    "finish": lambda event: queue.finish(event, Event.Status.FAILED),
    "postpone": lambda event: queue.postpone(event, 5),
    "give back": lambda event: queue.give_back([event]),
    "give back begun": lambda event: queue.give_back_begun(event, 0),
    "lose": lambda event: queue.lose(event, 0),
    "pardon": lambda event: queue.apply(queue.to_pardon(event)),
    "renew": lambda event: queue.renew({event.pk: event.claim}),
}


@pytest.mark.parametrize("step", ENDS.values(), ids=ENDS)
def test_who_lost_the_claim_changes_nothing(due, step):
    due(1)
    (late,) = take(1)
    lapse()
    (other,) = take(1)
    before = Event.objects.values().get()
    assert not step(late)
    assert Event.objects.values().get() == before
    assert queue.finish(other, Event.Status.SUCCEEDED)


class TestAttempts:
    """An attempt begins with the first call of a receiver, and is written down before it."""

    def test_begin_says_who_began_what(self, due):
        due(1)
        (event,) = take(1)
        assert queue.begin(event, calling="app.receivers.sync", alone=True)
        stored = Event.objects.get()
        assert stored.is_running
        assert (stored.attempts, stored.calling, stored.alone) == (1, "app.receivers.sync", True)
        assert stored.begun_by == queue.this_process()
        assert timedelta() <= timezone.now() - stored.begun_at < timedelta(seconds=30)
        assert event.attempts == 1

    def test_giving_back_restores_what_was(self, due):
        due(2)
        before = Event.objects.order_by("pk").values_list("next_attempt_at", "attempts", "claim")
        seen = list(before)
        queue.give_back(take(2))
        assert list(before) == seen

    def test_what_was_begun_is_not_given_back_as_if_it_were_not(self, due):
        due(1)
        (event,) = take(1)
        assert queue.begin(event, calling="", alone=False)
        queue.give_back([event])
        assert Event.objects.get().is_running

    def test_an_attempt_that_was_broken_off_does_not_count(self, due):
        due(1)
        (event,) = take(1)
        queue.begin(event, calling="", alone=False)
        assert queue.give_back_begun(event, 7)
        stored = Event.objects.get()
        assert (stored.attempts, stored.claim, stored.begun_at) == (0, None, None)
        assert 6 < seconds_until(stored) <= 7

    def test_postponing_ends_the_claim(self, due):
        due(1)
        (event,) = take(1)
        queue.begin(event, calling="a", alone=True)
        assert queue.postpone(event, 50)
        stored = Event.objects.get()
        assert (stored.attempts, stored.claim, stored.calling, stored.alone) == (1, None, "", False)
        assert 49 < seconds_until(stored) <= 50

    def test_finishing_takes_it_out_of_the_queue(self, due):
        due(1)
        (event,) = take(1)
        queue.begin(event, calling="a", alone=False)
        assert queue.finish(event, Event.Status.SUCCEEDED)
        stored = Event.objects.get()
        assert (stored.status, stored.next_attempt_at, stored.claim) == ("succeeded", None, None)
        assert stored.is_finished
        assert event.is_finished
        assert not stored.is_running
        assert abs(timezone.now() - stored.finished_at) < timedelta(seconds=30)

    def test_renewing_lets_a_claim_last(self, due):
        due(2)
        one, other = take(2)
        Event.objects.update(next_attempt_at=InSeconds(5))
        queue.renew({one.pk: one.claim})
        assert seconds_until(one) > 99
        assert seconds_until(other) <= 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows")
def test_renewing_waits_for_no_row_that_a_lane_is_concluding(due):
    """Or each would hold a row that the other waits for."""
    due(2)
    first, second = take(2)
    renewed: list[int] = []

    def renew() -> None:
        try:
            renewed.append(queue.renew({first.pk: first.claim, second.pk: second.claim}))
        finally:
            connection.close()

    with transaction.atomic():
        assert queue.finish(first, Event.Status.SUCCEEDED)
        thread = threading.Thread(target=renew)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        assert queue.begin(second, calling="", alone=False)
    assert renewed == [1]


class TestDeaths:
    """An event that had begun and is due again has outlived its process: that proves no guilt."""

    def die(self, *, alone: bool) -> Event:
        (event,) = take(1)
        assert queue.begin(event, calling="", alone=event.alone or alone)
        lapse()
        return event

    def test_the_first_death_beside_others_makes_it_run_alone_and_counts_for_nothing(self, due):
        due(1)
        self.die(alone=False)
        (event,) = take(1)
        assert (event.attempts, event.deaths, event.alone) == (1, 0, True)

    def test_a_death_alone_counts(self, due):
        due(1)
        for _ in range(3):
            self.die(alone=False)
        (event,) = take(1)
        assert (event.attempts, event.deaths, event.alone) == (3, 2, True)
        assert Event.objects.get().deaths == 2

    def test_that_it_is_to_run_alone_outlives_its_being_given_back(self, due):
        due(1)
        self.die(alone=False)
        queue.give_back(take(1))
        (event,) = take(1)
        assert (event.deaths, event.alone) == (0, True)

    def test_a_lost_session_counts_as_one_only_if_it_was_alone(self, due):
        due(1)
        for deaths in (0, 1):
            (event,) = take(1)
            queue.begin(event, calling="", alone=event.alone)
            assert queue.lose(event, 0)
            stored = Event.objects.get()
            assert (stored.deaths, stored.alone, stored.claim) == (deaths, True, None)
            lapse()

    def test_an_attempt_that_ends_as_it_should_clears_the_suspicion(self, due):
        due(1)
        self.die(alone=False)
        (event,) = take(1)
        queue.begin(event, calling="", alone=True)
        queue.postpone(event, 0)
        lapse()
        (event,) = take(1)
        assert event.alone is False


class TestRedeliveries:
    """An event that is delivered again."""

    def test_what_nobody_has_begun_is_due_at_once_whoever_claimed_it(self, due):
        due(1)
        (event,) = take(1)
        assert queue.hurry(event)
        assert take(1)
        assert not queue.begin(event, calling="", alone=False)

    def test_what_is_begun_or_finished_is_left_alone(self, due):
        due(1)
        (event,) = take(1)
        queue.begin(event, calling="", alone=False)
        assert not queue.hurry(event)
        queue.finish(event, Event.Status.SUCCEEDED)
        assert not queue.hurry(event)
        assert not queue.revive(event)

    def test_a_failed_one_gets_one_more_attempt(self, due):
        due(1)
        (event,) = take(1)
        queue.begin(event, calling="", alone=False)
        queue.finish(event, Event.Status.FAILED)
        Event.objects.update(deaths=5)
        assert queue.revive(Event.objects.get())
        stored = Event.objects.get()
        assert (stored.status, stored.finished_at, stored.deaths) == ("pending", None, 2)
        assert take(1)


def test_the_clock_of_the_database_decides_what_is_due(due, monkeypatch):
    """The clocks of this machine and of another one differ by ten minutes."""
    if connection.vendor == "sqlite":
        pytest.skip("the clock of SQLite is this machine's")
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(minutes=10))
    due(1)
    monkeypatch.undo()
    assert len(take(1)) == 1


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_without_time_zones_events_are_due_all_the_same(due, settings, zone):
    settings.USE_TZ = False
    settings.TIME_ZONE = zone
    due(1)
    (event,) = take(1)
    assert queue.postpone(event, 60)
    assert take(1) == []
    assert 59 < seconds_until(event) <= 60
