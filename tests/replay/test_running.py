"""Replaying: the normal dispatch again, with a row that says who, why and what came out."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Replay
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.replay.running import (
    Criteria,
    Preview,
    batch,
    carry_on,
    keys_ahead,
    next_waiting,
    plan,
    replay,
    select,
)
from superoffice_hooks.signals import calls_for

from ..conftest import SECRET, body, documented

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


def run(criteria: Criteria, save_seconds: float = 60, **options) -> Replay:
    planned = plan(criteria, who="anna", reason="the cause is gone", **options)
    for _event in carry_on(planned, save_seconds=save_seconds):
        pass
    return planned


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
    assert (event.status, event.attempts) == ("succeeded", 1)
    assert Group.objects.get().name == "ticket.changed anna"
    assert (done.planned, done.done, done.failed) == (1, 1, 0)
    assert done.finished_at is not None
    first, second = event.runs.all()
    assert (first.outcome, first.replay) == ("failed", None)
    assert (second.outcome, second.replay, second.attempt) == ("succeeded", done, 1)


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
        reason="the cause is gone",
    )
    stored = Replay.objects.get()
    assert (stored.who, stored.reason) == ("anna", "the cause is gone")
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
    done = replay(plan(criteria, who="anna", reason=""), progress=seen.append)
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

    def test_for_none_of_them_is_refused(self, post, receivers):
        post(body())
        with pytest.raises(ValueError, match="for no receiver"):
            run(Criteria(), receivers=[])
        assert not Replay.objects.exists()

    def test_a_row_for_none_of_them_calls_nobody(self, post, receivers):
        post(body())
        Replay.objects.create(who="x", reason="", receivers=[], up_to=Event.objects.get().pk)
        done = replay(Replay.objects.get())
        assert (done.state, done.skipped, done.runs.count()) == ("finished", 1, 0)

    def test_an_event_they_are_not_for_stays_as_it_is(self, post, receivers):
        good, _ = receivers
        post(body("contact.changed"))
        done = run(Criteria(), receivers=(good,))
        event = Event.objects.get()
        assert (event.status, event.attempts) == ("skipped", 0)
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


@pytest.mark.parametrize("minutes", [-1, 1])
def test_an_unfinished_event_is_left_to_its_ordinary_dispatch(post, connect, minutes):
    calls = []
    connect(signals.ticket_changed, lambda **kwargs: calls.append(1))
    post(body())
    due_at = timezone.now() + timedelta(minutes=minutes)
    Event.objects.update(status="pending", next_attempt_at=due_at, claim=7, begun_at=due_at)
    before = Event.objects.values().get()
    done = run(Criteria())
    assert (done.done, done.failed, done.busy) == (0, 1, 1)
    assert calls == [1]
    assert Event.objects.values().get() == before


def test_events_that_arrive_meanwhile_are_not_part_of_it(post, connect):
    def breeding(event, replay, **kwargs):
        if replay:
            post(body(PrimaryKey=event.primary_key + 1))

    connect(signals.ticket_changed, breeding)
    post(body(PrimaryKey=1))
    assert run(Criteria()).done == 1
    assert Event.objects.count() == 2


class TestOnlyFailed:
    """Each event goes only to the receivers whose last run for it was no success."""

    @pytest.fixture
    def broken(self):
        return {"bad": True, "worse": True}

    @pytest.fixture(autouse=True)
    def receivers(self, connect, broken):
        def good(**kwargs):
            pass

        def bad(event, **kwargs):
            if broken["bad"] and event.primary_key != 2:
                raise RuntimeError("bad")

        def worse(**kwargs):
            if broken["worse"]:
                raise RuntimeError("worse")

        connect(signals.ticket_changed, good)
        connect(signals.ticket_changed, bad)
        connect(signals.any_event, worse)

    def called(self, replay: Replay) -> list[tuple[int | None, str]]:
        runs = replay.runs.values_list("event__primary_key", "receiver")
        return [(number, path.rpartition(".")[2]) for number, path in runs]

    def test_receivers_that_succeeded_are_not_called_again(self, post, broken):
        for number in (1, 2):
            post(body(PrimaryKey=number))
        broken.clear()
        broken |= {"bad": False, "worse": False}
        done = run(Criteria(), only_failed=True)
        assert self.called(done) == [(1, "bad"), (1, "worse"), (2, "worse")]
        assert (done.done, done.skipped, done.failed) == (2, 0, 0)
        assert set(Event.objects.values_list("status", flat=True)) == {"succeeded"}

    def test_what_failed_again_failed(self, post, broken):
        post(body(PrimaryKey=1))
        broken["bad"] = False
        done = run(Criteria(), only_failed=True)
        assert self.called(done) == [(1, "bad"), (1, "worse")]
        assert Event.objects.get().status == "failed"
        assert self.called(run(Criteria(), only_failed=True)) == [(1, "worse")]

    def test_an_event_without_failures_stays_as_it_is(self, post, broken):
        broken |= {"bad": False, "worse": False}
        post(body(PrimaryKey=1))
        before = Event.objects.values().get()
        done = run(Criteria(), only_failed=True)
        assert Event.objects.values().get() == before
        assert (done.done, done.skipped, self.called(done)) == (1, 1, [])

    def test_it_goes_with_chosen_receivers(self, post, receivers):
        post(body(PrimaryKey=1))
        paths = {r.path.rpartition(".")[2]: r.path for r in signals.connected()}
        chosen = run(Criteria(), only_failed=True, receivers=(paths["good"], paths["worse"]))
        assert self.called(chosen) == [(1, "worse")]
        assert run(Criteria(), only_failed=True, receivers=(paths["good"],)).skipped == 1

    def test_the_preview_counts_those_that_would_be_called(self, post, broken):
        for number in (1, 2, 3):
            post(body(PrimaryKey=number))
        post(body("contact.changed"))
        broken["bad"] = False
        run(Criteria(ids=(Event.objects.get(primary_key=3).pk,)))
        failed = Preview(Criteria()).failed
        assert {path.rpartition(".")[2]: count for path, count in failed.items()} == {
            "bad": 1,
            "worse": 4,
        }
        broken["worse"] = False
        again = run(Criteria(), only_failed=True)
        for path, count in failed.items():
            assert again.runs.filter(receiver=path).count() == count

    def test_who_is_connected_no_longer_is_not_counted(self, post):
        post(body())
        ReceiverRun.objects.update(receiver="gone.with_the_wind")
        assert Preview(Criteria()).failed == {}


class TestPreview:
    """What would be done, in figures; nothing is written."""

    def test_it_counts_events_records_receivers_and_what_is_superseded(self, post, connect):
        connect(signals.ticket_changed, nothing)
        connect(signals.any_event, breaks)
        for number in (1, 1, 1, 2):
            post(body(PrimaryKey=number))
        post(body("contact.changed", PrimaryKey=1))
        post(body("contact.changed", PrimaryKey=None))
        post(body("test", PrimaryKey=None))
        preview = Preview(Criteria())
        assert (preview.events, preview.records, preview.superseded) == (7, 3, 2)
        here = __name__
        assert preview.receivers == {f"{here}.breaks": 6, f"{here}.nothing": 4}
        assert [(named.name, named.events) for named in preview.names] == [
            ("contact.changed", 2),
            ("test", 1),
            ("ticket.changed", 4),
        ]
        assert preview.names[1].receivers == {}
        assert not Replay.objects.exists()

    def test_a_limit_counts(self, post):
        for number in range(4):
            post(body(PrimaryKey=number % 2))
        preview = Preview(Criteria(limit=3))
        assert (preview.events, preview.records, preview.superseded) == (3, 2, 2)

    def test_filters_are_asked_about_each_kind_of_event(self, post, connect):
        own = {"SECRETS": [SECRET], "OWN_ASSOCIATES": {"Default": [99]}}
        with override_settings(SUPEROFFICE_HOOKS=own):
            for changes, associate in ((["priority"], 1), (["title"], 1), (["title"], 99), ([], 1)):
                post(body(Changes=changes, ChangedByAssociateId=associate))
        urgent = connect(signals.ticket_changed, nothing, fields="priority")
        others = connect(signals.any_event, breaks, fields="significant", ignore_own=True)
        assert Preview(Criteria()).receivers == {dotted_path(urgent): 2, dotted_path(others): 3}

    def test_its_queries_are_as_many_for_many_events(self, post, django_assert_num_queries):
        for count in (1, 31):
            for number in range(Event.objects.count(), count):
                post(body(f"y_table{number}.changed", PrimaryKey=number))
            preview = Preview(Criteria())
            with django_assert_num_queries(7):
                assert (preview.events, preview.records) == (count, count)
                assert (preview.superseded, preview.failed) == (0, {})


def nothing(**kwargs):
    """A receiver that is content."""


def breaks(**kwargs):
    raise RuntimeError("always")


class TestCarryingOn:
    """A replay goes on from where it is, whoever carries it on, and however it was left."""

    @pytest.fixture
    def planned(self, post, calls):
        for number in range(5):
            post(body(PrimaryKey=number))
        planned = plan(Criteria(name="ticket.changed"), who="anna", reason="")
        planned.release()
        return planned

    def take(self, planned: Replay, most: int) -> None:
        """Carry on with so many events, and stop in order."""
        events = carry_on(planned)
        for _ in range(most):
            next(events)
        events.close()

    def test_a_state_for_each_stage(self, planned):
        def stored() -> Replay:
            return Replay.objects.get()

        assert (stored().state, stored().remaining) == ("waiting", 5)
        self.take(planned, 2)
        assert (stored().state, stored().remaining, stored().claimed_until) == ("waiting", 3, None)
        replay(stored())
        assert (stored().state, stored().remaining, stored().claimed_until) == ("finished", 0, None)

    def test_another_process_goes_on_where_one_stopped(self, planned, calls):
        self.take(planned, 2)
        self.take(Replay.objects.get(), 1)
        done = replay(Replay.objects.get())
        assert calls == [0, 1, 2, 3, 4]
        assert (done.done, done.failed) == (5, 0)
        assert replay(Replay.objects.get()).done == 5
        assert calls == [0, 1, 2, 3, 4]

    def test_after_the_last_event_it_is_finished_without_another_look(self, planned):
        self.take(planned, 5)
        assert Replay.objects.get().state == "finished"

    def test_what_the_replay_changes_does_not_change_its_events(self, planned, calls):
        Event.objects.update(status="failed")
        failed = plan(Criteria(status="failed"), who="anna", reason="")
        self.take(failed, 2)
        Event.objects.filter(primary_key__lt=2).update(status="failed")
        done = replay(failed)
        assert calls == [0, 1, 2, 3, 4]
        assert (done.planned, done.done) == (5, 5)

    def test_what_meets_the_criteria_no_longer_is_left_out(self, planned, calls):
        Event.objects.filter(primary_key__gt=0).update(status="failed")
        failed = plan(Criteria(status="failed"), who="anna", reason="")
        Event.objects.filter(primary_key=2).update(status="succeeded")
        done = replay(failed)
        assert calls == [1, 3, 4]
        assert (done.state, done.planned, done.done, done.dropped) == ("finished", 4, 3, 1)

    def test_later_events_are_no_part_of_it_even_if_the_last_one_is_gone(
        self, planned, calls, post
    ):
        Event.objects.filter(primary_key=4).delete()
        post(body(PrimaryKey=99))
        assert replay(planned).done == 4
        assert calls == [0, 1, 2, 3]

    def test_a_deleted_event_is_passed_over(self, planned, calls):
        events = carry_on(planned)
        next(events)
        Event.objects.filter(primary_key__in=[1, 4]).delete()
        list(events)
        assert calls == [0, 2, 3]
        assert Replay.objects.get().state == "finished"

    def test_events_that_were_not_tried_are_as_they_were(self, planned, calls):
        Event.objects.filter(primary_key__gt=2).update(status="failed", attempts=7)
        before = list(Event.objects.filter(primary_key__gt=1).order_by("pk").values())
        self.take(planned, 2)
        assert list(Event.objects.filter(primary_key__gt=1).order_by("pk").values()) == before
        assert calls == [0, 1]

    @pytest.mark.parametrize("limit", [1, 2, 5, 9])
    def test_however_many_keys_are_read_at_once(self, planned, limit):
        keys = list(Event.objects.order_by("pk").values_list("pk", flat=True))
        assert list(keys_ahead(planned, select(Criteria()), limit)) == keys
        planned.position = keys[1]
        assert list(keys_ahead(planned, select(Criteria()), limit)) == keys[2:]

    def test_nobody_else_works_on_a_claimed_one(self, planned, calls):
        assert planned.take()
        other = Replay.objects.get()
        assert list(carry_on(other)) == []
        assert next_waiting() is None
        replay(planned)
        assert len(calls) == 5

    def test_planning_claims_until_released(self, post):
        post(body())
        mine = plan(Criteria(), who="anna", reason="")
        assert not Replay.objects.waiting().exists()
        assert not Replay.objects.get().take()
        mine.release()
        assert Replay.objects.waiting().get() == mine
        assert Replay.objects.get().take()
        assert not mine.take()

    def test_quick_events_are_saved_together_and_slow_ones_one_by_one(self, planned, connect):
        positions: list[int] = []

        def look(event, replay, **kwargs):
            if replay:
                position = Replay.objects.get(pk=replay.pk).position
                numbers = Event.objects.filter(pk__lte=position).count()
                positions.append(numbers)

        connect(signals.ticket_changed, look)
        replay(planned)
        assert positions == [0, 1, 1, 3, 3]
        positions.clear()
        run(Criteria(), save_seconds=0)
        assert positions == [0, 1, 2, 3, 4]

    def test_a_batch_ends_after_its_seconds(self, planned, calls):
        assert len(list(batch(planned, seconds=0))) == 1
        assert (calls, planned.position) == ([0], Event.objects.earliest("pk").pk)
        assert len(list(batch(planned, seconds=60))) == 4

    def test_each_is_tried_once_and_in_order_however_quick_receivers_are(self, post, connect):
        called: list[int] = []

        def now_slow_now_quick(event, replay, **kwargs):
            if replay:
                called.append(event.primary_key)
                time.sleep(0.03 if event.primary_key in (6, 7, 8, 20, 21, 30) else 0)

        connect(signals.ticket_changed, now_slow_now_quick)
        for number in range(40):
            post(body(PrimaryKey=number))
        done = run(Criteria(), save_seconds=0.02)
        assert called == list(range(40))
        assert (done.done, done.failed, done.state) == (40, 0, "finished")
        assert set(Event.objects.values_list("status", "attempts")) == {("succeeded", 1)}

    def test_an_event_that_breaks_down_counts_as_failed_and_stops_nothing(
        self, planned, monkeypatch, caplog
    ):
        def breaks_for_the_second(event):
            if event.primary_key == 1:
                raise RuntimeError("an error of ours")
            return calls_for(event)

        monkeypatch.setattr("superoffice_hooks.replay.batches.calls_for", breaks_for_the_second)
        done = replay(planned)
        assert (done.state, done.done, done.failed) == ("finished", 4, 1)
        assert "an error of ours" in caplog.text

    def test_a_replay_that_breaks_down_stops_no_other(self, planned):
        Replay.objects.create(who="later", reason="", criteria={"invented": "later"}, up_to=9)
        planned.delete()
        fine = plan(Criteria(), who="anna", reason="")
        fine.release()
        broken = next_waiting()
        assert broken
        with pytest.raises(ValueError, match="no criteria"):
            list(batch(broken))
        assert next_waiting() == fine
        assert len(list(batch(fine))) == 5
        assert set(Replay.objects.values_list("who", "done")) == {("later", 0), ("anna", 5)}
        # It rests, instead of failing each second.
        assert next_waiting() is None

    def test_several_take_turns(self, planned):
        other = plan(Criteria(), who="bob", reason="")
        other.release()
        assert next_waiting() == planned
        assert next_waiting(planned.pk) == other
        assert next_waiting(other.pk) == planned

    def test_nothing_planned_is_finished_at_once(self, db):
        assert replay(plan(Criteria(), who="anna", reason="")).state == "finished"


class TestCancelling:
    """A replay ends with the events in hand, and says who ended it."""

    @pytest.mark.parametrize(("seconds", "tried"), [(60.0, 3), (0.0, 2)])
    def test_the_events_in_hand_are_the_last(self, post, connect, seconds, tried):
        def cancels(event, replay, **kwargs):
            if replay and event.primary_key == 1:
                assert Replay.objects.get().cancel("bob")

        connect(signals.ticket_changed, cancels)
        for number in range(5):
            post(body(PrimaryKey=number))
        done = run(Criteria(), save_seconds=seconds)
        stored = Replay.objects.get()
        assert (stored.state, stored.cancelled_by) == ("cancelled", "bob")
        assert (stored.done, stored.failed, stored.remaining) == (tried, 0, 5 - tried)
        assert (done.state, done.done, stored.claimed_until) == ("cancelled", tried, None)
        assert not Replay.objects.waiting().exists()
        assert replay(stored).done == tried
        assert set(Event.objects.values_list("status", "claim")) == {("succeeded", None)}

    @pytest.mark.parametrize("is_released", [True, False])
    def test_one_that_waits_is_not_begun(self, post, calls, is_released):
        post(body())
        planned = plan(Criteria(), who="anna", reason="")
        if is_released:
            planned.release()
        assert Replay.objects.get().cancel("")
        done = replay(planned)
        assert (done.state, done.done, calls) == ("cancelled", 0, [])
        stored = Replay.objects.get()
        assert (stored.state, stored.claim) == ("cancelled", None)

    def test_what_has_ended_stays_as_it_ended(self, post):
        finished = run(Criteria())
        assert not finished.cancel("bob")
        assert Replay.objects.get().state == "finished"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_share_one_replay_without_doing_anything_twice(post, connect):
    called: list[int] = []

    def note(event, replay, **kwargs):
        if replay:
            called.append(event.primary_key)

    connect(signals.ticket_changed, note)
    for number in range(40):
        post(body(PrimaryKey=number))
    planned = plan(Criteria(), who="anna", reason="")
    planned.release()
    with ThreadPoolExecutor(2) as threads:
        shares = [threads.submit(work_until_all_is_done) for _ in range(2)]
    assert sum(share.result() for share in shares) == 40
    assert called == list(range(40))
    done = Replay.objects.get()
    assert (done.done, done.failed, done.claimed_until) == (40, 0, None)


def work_until_all_is_done() -> int:
    """Three events at a time, as somebody in another process would."""
    tried = 0
    try:
        while Replay.objects.filter(finished_at=None).exists():
            events = carry_on(Replay.objects.get())
            tried += len(list(islice(events, 3)))
            events.close()
    finally:
        connection.close()
    return tried
