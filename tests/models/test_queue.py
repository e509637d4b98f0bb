"""The queue: one column, claims by token, and steps that say whether they applied."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import conf
from superoffice_hooks.models import Event, queue, steps
from superoffice_hooks.models.claiming import Taker, take
from superoffice_hooks.models.clock import NOW, InSeconds

from ..conftest import SECRET, body

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

    def test_a_taker_takes_again_what_was_given_back_before_what_is_due_later(self, due):
        due(3)
        taker = Taker(Event)
        taken = taker.take(2)
        assert numbers(taken) == [0, 1]
        steps.give_back(taken)
        assert numbers(taker.take(2)) == [0, 1]

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
            assert steps.finish(claimed, Event.Status.SUCCEEDED).apply()
        assert take(5) == []
        assert not Event.objects.due().exists()

    def test_one_look_costs_one_statement_on_postgresql(self, due, django_assert_num_queries):
        due(3)
        # Elsewhere: SELECT and UPDATE in a savepoint of the test; SQLite takes its lock first.
        with django_assert_num_queries({"postgresql": 1, "mysql": 4}.get(connection.vendor, 5)):
            assert len(take(3)) == 3

    def test_a_taker_finds_what_is_due_earlier_than_what_it_took_last(self, due):
        due(3)
        taker = Taker(Event)
        assert numbers(taker.take(2)) == [0, 1]
        Event.objects.filter(primary_key=0).update(next_attempt_at=InSeconds(-3600))
        assert numbers(taker.take(1)) == [2]
        assert numbers(taker.take(1)) == [0]


ENDS = {
    "begin": lambda event: steps.begin(event, calling="a.b", alone=False).apply(),
    "finish": lambda event: steps.finish(event, Event.Status.FAILED).apply(),
    "postpone": lambda event: steps.postpone(event, 5).apply(),
    "give back": lambda event: steps.give_back([event]),
    "give back begun": lambda event: steps.break_off(event, 0).apply(),
    "lose": lambda event: steps.lose(event, 0).apply(),
    "forget_deaths": lambda event: steps.forget_deaths(event).apply(),
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
    assert steps.finish(other, Event.Status.SUCCEEDED).apply()


def test_who_has_lost_the_claim_has_none_any_more(due):
    due(1)
    (late,) = take(1)
    lapse()
    assert len(take(1)) == 1
    assert not steps.begin(late, calling="a.b", alone=False).apply()
    assert late.claim is None


class TestAttempts:
    """An attempt begins with the first call of a receiver, and is written down before it."""

    def test_a_long_path_is_cut(self, due):
        due(1)
        (event,) = take(1)
        assert steps.begin(event, calling="a" * 300, alone=False).apply()
        assert Event.objects.get().calling == "a" * 255

    @pytest.mark.parametrize(
        "end",
        [
            lambda event: steps.postpone(event, 500),
            lambda event: steps.break_off(event, 500),
            lambda event: steps.break_off(event, 500, counts=True),
        ],
        ids=["postpone", "break off", "break off and count"],
    )
    def test_the_instance_says_what_was_stored(self, due, end):
        due(1)
        (event,) = take(1)
        for step in (steps.begin(event, calling="a.b", alone=True), end(event)):
            assert step.apply()
            stored = Event.objects.get()
            for name in ("claim", "attempts", "alone", "calling"):
                assert getattr(event, name) == getattr(stored, name), name
            apart = event.next_attempt_at - stored.next_attempt_at
            assert abs(apart) < timedelta(seconds=40)

    def test_begin_renews_a_claim_only_if_it_is_as_old_as_the_keeper_would_let_it_become(self, due):
        """While it does not, PostgreSQL may write the new version into no index."""
        due(1)
        (event,) = take(1)
        claimed_until = Event.objects.get().next_attempt_at
        assert steps.begin(event, calling="a.b", alone=True).apply()
        assert Event.objects.get().next_attempt_at == claimed_until
        event.claimed_at -= conf.current().LEASE_SECONDS / 3
        assert steps.begin(event, calling="a.b", alone=True).apply()
        assert Event.objects.get().next_attempt_at > claimed_until

    def test_begin_says_who_began_what(self, due):
        due(1)
        (event,) = take(1)
        assert steps.begin(event, calling="app.receivers.sync", alone=True).apply()
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
        steps.give_back(take(2))
        assert list(before) == seen

    def test_what_was_begun_is_not_given_back_as_if_it_were_not(self, due):
        due(1)
        (event,) = take(1)
        assert steps.begin(event, calling="", alone=False).apply()
        steps.give_back([event])
        assert Event.objects.get().is_running

    def test_an_attempt_that_was_broken_off_does_not_count(self, due):
        due(1)
        (event,) = take(1)
        steps.begin(event, calling="", alone=False).apply()
        assert steps.break_off(event, 7).apply()
        stored = Event.objects.get()
        assert (stored.attempts, stored.claim, stored.begun_at) == (0, None, None)
        assert 6 < seconds_until(stored) <= 7

    def test_postponing_ends_the_claim(self, due):
        due(1)
        (event,) = take(1)
        steps.begin(event, calling="a", alone=True).apply()
        assert steps.postpone(event, 50).apply()
        stored = Event.objects.get()
        assert (stored.attempts, stored.claim, stored.calling, stored.alone) == (1, None, "", False)
        assert 49 < seconds_until(stored) <= 50

    def test_finishing_takes_it_out_of_the_queue(self, due):
        due(1)
        (event,) = take(1)
        steps.begin(event, calling="a", alone=False).apply()
        assert steps.finish(event, Event.Status.SUCCEEDED).apply()
        stored = Event.objects.get()
        assert (stored.status, stored.next_attempt_at, stored.claim) == ("succeeded", None, None)
        assert stored.is_finished
        assert event.is_finished
        assert not stored.is_running
        assert abs(timezone.now() - stored.finished_at) < timedelta(seconds=30)

    def test_one_that_waits_for_gatherings_has_left_the_queue_and_is_not_finished(self, due):
        due(1)
        (event,) = take(1)
        steps.begin(event, calling="a", alone=False).apply()
        assert steps.finish(event, Event.Status.WAITING).apply()
        stored = Event.objects.get()
        assert (stored.status, stored.next_attempt_at, stored.claim) == ("waiting", None, None)
        assert stored.finished_at is None

    def test_renewing_lets_a_claim_last(self, due):
        due(2)
        one, other = take(2)
        Event.objects.update(next_attempt_at=InSeconds(5))
        queue.renew({one.pk: one.claim})
        assert seconds_until(one) > 99
        assert seconds_until(other) <= 5

    def test_renewing_counts_the_rows_of_each_claim(self, due):
        due(3)
        claimed = [*take(2), *take(1)]
        Event.objects.update(next_attempt_at=InSeconds(5))
        assert queue.renew({event.pk: event.claim for event in claimed}) == 3
        assert all(seconds_until(event) > 99 for event in claimed)


class TestPlaces:
    """Where a new event stands in the queue."""

    @pytest.mark.parametrize(("dispatch", "seconds"), [("worker", 0), ("task", 100)])
    def test_one_for_a_task_is_due_when_a_lease_would_have_ended(self, settings, dispatch, seconds):
        hooks = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": dispatch}
        with override_settings(SUPEROFFICE_HOOKS=hooks):
            assert queue.place_of_new()["next_attempt_at"].delta == timedelta(seconds=seconds)

    def test_one_that_is_begun_at_once_has_a_lease(self):
        assert queue.place_begun()["next_attempt_at"].delta == timedelta(seconds=100)


class TestHurrying:
    """One that is delivered again and was not begun is due at once."""

    def test_ends_a_claim_whose_process_may_be_gone(self, due):
        due(1)
        (event,) = take(1)
        assert queue.hurry(event)
        assert Event.objects.get().claim is None
        assert seconds_until(event) <= 0

    @pytest.mark.parametrize(
        "columns",
        [
            {"attempts": 1, "next_attempt_at": InSeconds(50)},
            {"begun_at": NOW, "claim": 7, "next_attempt_at": InSeconds(50)},
            {"status": "skipped", "next_attempt_at": None},
        ],
        ids=["retried", "running", "finished"],
    )
    def test_leaves_any_other_as_it_is(self, due, columns):
        due(1)
        Event.objects.update(**columns)
        before = Event.objects.values().get()
        assert not queue.hurry(Event.objects.get())
        assert Event.objects.values().get() == before


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
        assert steps.finish(first, Event.Status.SUCCEEDED).apply()
        thread = threading.Thread(target=renew)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        assert steps.begin(second, calling="", alone=False).apply()
    assert renewed == [1]


class TestDeaths:
    """An event that had begun and is due again has outlived its process: that proves no guilt."""

    def die(self, *, alone: bool) -> Event:
        (event,) = take(1)
        assert steps.begin(event, calling="", alone=event.alone or alone).apply()
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
        steps.give_back(take(1))
        (event,) = take(1)
        assert (event.deaths, event.alone) == (0, True)

    def test_a_lost_session_counts_as_one_only_if_it_was_alone(self, due):
        due(1)
        for deaths in (0, 1):
            (event,) = take(1)
            steps.begin(event, calling="", alone=event.alone).apply()
            assert steps.lose(event, 0).apply()
            stored = Event.objects.get()
            assert (stored.deaths, stored.alone, stored.claim) == (deaths, True, None)
            lapse()

    def test_an_attempt_that_ends_as_it_should_clears_the_suspicion(self, due):
        due(1)
        self.die(alone=False)
        (event,) = take(1)
        steps.begin(event, calling="", alone=True).apply()
        steps.postpone(event, 0).apply()
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
        assert not steps.begin(event, calling="", alone=False).apply()

    def test_what_is_begun_or_finished_is_left_alone(self, due):
        due(1)
        (event,) = take(1)
        steps.begin(event, calling="", alone=False).apply()
        assert not queue.hurry(event)
        steps.finish(event, Event.Status.SUCCEEDED).apply()
        assert not queue.hurry(event)
        assert not queue.revive(event)

    def test_a_failed_one_gets_one_more_attempt(self, due):
        due(1)
        (event,) = take(1)
        steps.begin(event, calling="", alone=False).apply()
        steps.finish(event, Event.Status.FAILED).apply()
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
    assert steps.postpone(event, 60).apply()
    assert take(1) == []
    assert 59 < seconds_until(event) <= 60
