"""A replay that breaks off: events stay as they were, and no success is repeated."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Replay
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.replay.running import Criteria, carry_on, next_waiting, plan, replay

from ..conftest import SECRET, body
from ..dispatching.test_calling import end_session

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = 4


class Killed(BaseException):
    """As SIGKILL: the process does nothing any more."""


class Process:
    """Dies when told to, or at one of its statements: from then on none of them is executed."""

    def __init__(self, statements: float = float("inf")) -> None:
        self._left = statements

    def __call__(self, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if self._left <= 0:
            raise Killed
        self._left -= 1
        return execute(sql, *arguments)

    def die(self) -> None:
        self._left = 0
        raise Killed

    def carries_on(self, planned: Replay) -> bool:
        """Whether it has come to an end of the replay alive."""
        with connection.execute_wrapper(self):
            try:
                list(carry_on(planned))
            except Killed:
                return False
        return True


def lapse() -> None:
    """Let the leases of all claims on replays end."""
    Replay.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


def hooks(**more: Any) -> override_settings:
    return override_settings(
        SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 1, "LANES": 0, **more}
    )


@pytest.fixture(autouse=True)
def in_this_thread() -> Iterator[None]:
    with hooks():
        yield


@pytest.fixture
def events(post, connect) -> list[Event]:
    """One after the other; the third failed, for receivers that are mended since."""
    breaks = connect(signals.ticket_changed, raises)
    breaks_too = connect(signals.ticket_changed, raises_too)
    with hooks():
        for number in range(EVENTS):
            post(body(PrimaryKey=number))
    for function in (breaks, breaks_too):
        signals.ticket_changed.disconnect(function)
    assert set(Event.objects.values_list("status", flat=True)) == {"succeeded", "failed"}
    return list(Event.objects.order_by("pk"))


def raises(event, **kwargs):
    if event.primary_key == 2:
        raise RuntimeError("not yet")


def raises_too(event, **kwargs):
    if event.primary_key == 2:
        raise RuntimeError("not yet")


def mended(path: Callable[..., None]) -> Callable[..., None]:
    """The same receiver, which leaves a row for each call now."""

    def works(event, **kwargs):
        Group.objects.create(
            name=f"{path.__qualname__} {event.primary_key} {Group.objects.count()}"
        )

    works.__qualname__ = path.__qualname__
    return works


def deployed_since(**kwargs):
    raise AssertionError("nobody replayed anything for it")


def planned_for(*receivers: Callable[..., None], **options: Any) -> Replay:
    paths = tuple(map(dotted_path, receivers))
    planned = plan(Criteria(), who="anna", reason="", receivers=paths or None, **options)
    planned.release()
    return planned


def queue_columns() -> list[Any]:
    columns = ("pk", "next_attempt_at", "claim", "attempts", "deaths", "begun_at", "finished_at")
    return list(Event.objects.order_by("pk").values_list(*columns))


class TestKilled:
    @pytest.mark.parametrize("only_failed", [True, False])
    def test_at_any_statement_it_leaves_events_as_they_were_and_repeats_no_success(
        self, events, connect, only_failed
    ):
        for function in (raises, raises_too):
            connect(signals.ticket_changed, mended(function))
        # One that succeeded and one that failed; each more makes each of the many rounds longer.
        Event.objects.exclude(primary_key__in=[1, 2]).delete()
        before, tried = queue_columns(), 1 if only_failed else 2
        for statements in itertools.count():
            Event.objects.filter(primary_key=2).update(status="failed")
            ReceiverRun.objects.exclude(replay=None).delete()
            Group.objects.all().delete()
            planned = planned_for(raises, raises_too, only_failed=only_failed)
            connect(signals.any_event, deployed_since)
            survived = Process(statements).carries_on(planned)
            assert queue_columns() == before
            lapse()
            done = replay(Replay.objects.get(pk=planned.pk))
            signals.any_event.disconnect(deployed_since)
            assert (done.state, done.done, done.failed) == ("finished", 2, 0)
            assert done.skipped == 2 - tried
            outcomes = list(done.runs.values_list("outcome", flat=True))
            # One whose process died before its outcome could be stored left nothing behind.
            assert outcomes == ["succeeded"] * 2 * tried
            assert Group.objects.count() == 2 * tried
            assert set(Event.objects.values_list("status", flat=True)) == {"succeeded"}
            assert queue_columns() == before
            if survived:
                break
        assert statements > 8

    @pytest.mark.parametrize("after", range(EVENTS))
    def test_closing_it_gives_the_claim_back_and_another_process_goes_on(
        self, events, calls, after
    ):
        planned = planned_for()
        generator = carry_on(planned)
        for _ in range(after):
            next(generator)
        generator.close()
        stored = Replay.objects.get()
        assert (stored.done, stored.claim, stored.stalls) == (after, None, 0)
        assert replay(Replay.objects.get()).done == EVENTS
        assert calls == list(range(EVENTS))

    def test_ctrl_c_in_a_receiver_gives_the_claim_back(self, events, connect, calls):
        pressed: list[int] = []

        def interrupted(event, replay, **kwargs):
            if replay and event.primary_key == 1 and not pressed:
                pressed.append(1)
                raise KeyboardInterrupt

        connect(signals.ticket_changed, interrupted)
        with pytest.raises(KeyboardInterrupt):
            replay(planned_for())
        stored = Replay.objects.get()
        assert (stored.done, stored.claim, stored.stalls) == (1, None, 0)
        assert replay(stored).done == EVENTS
        assert not ReceiverRun.objects.filter(outcome="failed").exclude(replay=None).exists()


@pytest.mark.parametrize("most", [1, 3])
class TestDeadly:
    """A receiver that ends its process each time is given up, and no other."""

    @pytest.fixture(autouse=True)
    def attempts(self, most):
        with hooks(MAX_ATTEMPTS=most):
            yield

    def replayed(self, process: list[Process]) -> int:
        """How many processes died before the replay was finished."""
        planned_for()
        for deaths in range(30):
            process[:] = [Process()]
            if process[0].carries_on(Replay.objects.get()):
                return deaths
            lapse()
        raise AssertionError("it never ends")

    def test_the_replay_moves_on(self, events, connect, calls, most, caplog):
        process: list[Process] = []
        called_though_given_up: list[int] = []

        def deadly(event, replay, **kwargs):
            if replay and event.primary_key == 1:
                if replay.runs.filter(outcome="gave_up").exists():
                    called_though_given_up.append(event.pk)
                process[0].die()

        connect(signals.ticket_changed, deadly)
        deaths = self.replayed(process)
        assert called_though_given_up == []
        # The first of them may have been among others.
        assert most <= deaths <= most + 2
        done = Replay.objects.get()
        assert (done.state, done.done, done.failed) == ("finished", EVENTS - 1, 1)
        (given_up,) = done.runs.exclude(outcome="succeeded")
        assert (given_up.outcome, given_up.receiver) == ("gave_up", dotted_path(deadly))
        assert given_up.event == events[1]
        assert "Gave up receiver" in caplog.text
        # Who committed is not called again.
        assert calls == list(range(EVENTS))
        statuses = Event.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == ["succeeded", "succeeded", "failed", "succeeded"]

    def test_one_that_fails_before_it_is_not_taken_for_it(self, events, connect, most):
        process: list[Process] = []

        def fails(event, replay, **kwargs):
            if replay and event.primary_key == 0:
                raise ValueError

        def deadly(event, replay, **kwargs):
            if replay and event.primary_key == 0:
                process[0].die()

        connect(signals.ticket_changed, fails)
        connect(signals.ticket_changed, deadly)
        self.replayed(process)
        (given_up,) = Replay.objects.get().runs.filter(outcome="gave_up")
        assert given_up.receiver == dotted_path(deadly)

    def test_two_of_them_are_given_up_one_by_one(self, events, connect, most):
        process: list[Process] = []

        def deadly(replay, **kwargs):
            if replay:
                process[0].die()

        def deadly_too(replay, **kwargs):
            if replay:
                process[0].die()

        connect(signals.ticket_changed, deadly)
        connect(signals.any_event, deadly_too)
        Event.objects.filter(primary_key__gt=0).delete()
        deaths = self.replayed(process)
        assert 2 * most <= deaths <= 2 * (most + 2)
        given_up = Replay.objects.get().runs.values_list("receiver", "outcome")
        assert list(given_up) == [
            (dotted_path(deadly), "gave_up"),
            (dotted_path(deadly_too), "gave_up"),
        ]


class TestLostClaim:
    """Another process has gone on meanwhile; who was slower writes nothing and says nothing."""

    @pytest.mark.parametrize("events_before", [0, 1])
    def test_who_lost_it_stops_before_the_next_event(self, events, calls, events_before, caplog):
        slow = planned_for()
        assert slow.take()
        generator = carry_on(slow)
        for _ in range(events_before):
            next(generator)
        # As after SIGSTOP for longer than the lease.
        lapse()
        slow._sure_until = 0.0
        fast = Replay.objects.get()
        assert fast.take()
        assert list(generator) == []
        assert not slow.keep()
        assert calls == list(range(events_before))
        stored = Replay.objects.get()
        assert (stored.done, stored.claim) == (0, fast.claim)
        done = replay(fast)
        assert (done.state, done.done, done.failed) == ("finished", EVENTS, 0)
        assert calls == list(range(EVENTS))
        assert "ERROR" not in caplog.text

    def test_what_it_was_calling_is_committed_once(self, events, connect):
        overtaken: list[Event] = []

        def slow(event, replay, **kwargs):
            if replay and not overtaken:
                overtaken.append(event)
                lapse()
                assert carried_on().done == EVENTS
            Group.objects.create(name=f"{event.pk} {Group.objects.count()}")

        def carried_on() -> Replay:
            return replay(Replay.objects.get())

        connect(signals.ticket_changed, slow, atomic=False)
        Group.objects.all().delete()
        done = replay(planned_for())
        stored = Replay.objects.get()
        for row in (done, stored):
            assert (row.state, row.done, row.failed, row.claim) == ("finished", EVENTS, 0, None)
        assert stored.runs.count() == EVENTS

    def test_a_claim_that_was_given_back_is_not_renewed(self, events):
        planned = planned_for()
        assert not planned.renew()
        assert Replay.objects.get().claimed_until is None


class TestHanging:
    @pytest.fixture
    def hanging(self, connect):
        """Hangs until the test ends."""
        ended = threading.Event()

        def hangs(replay, **kwargs):
            if replay:
                ended.wait(30)

        connect(signals.ticket_changed, hangs, atomic=False)
        thread = threading.Thread(target=self._replay, args=[planned_for()])
        yield thread
        ended.set()
        thread.join()

    def _replay(self, planned: Replay) -> None:
        try:
            replay(planned)
        finally:
            connection.close()

    def test_one_that_hangs_is_reported_and_its_claim_ends(self, events, hanging, caplog):
        with hooks(LEASE_SECONDS=0.6, CALL_SECONDS=0.3):
            hanging.start()
            end = time.monotonic() + 30
            while not Replay.objects.exclude(claim=None).exists():
                assert time.monotonic() < end
            while next_waiting() is None:
                assert time.monotonic() < end
                time.sleep(0.05)
            assert caplog.text.count("may hang") == 1
            Replay.objects.update(finished_at=timezone.now())

    def test_one_that_is_slow_keeps_it(self, events, hanging):
        with hooks(LEASE_SECONDS=0.6, CALL_SECONDS=60):
            hanging.start()
            end = time.monotonic() + 30
            while not Replay.objects.exclude(claim=None).exists():
                assert time.monotonic() < end
            end = time.monotonic() + 1
            while time.monotonic() < end:
                assert next_waiting() is None
                time.sleep(0.05)
            Replay.objects.update(finished_at=timezone.now())


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no sessions")
class TestLostSessions:
    """A session that the database ends is no failure of a receiver, unless it ends each time."""

    @pytest.mark.parametrize("atomic", [True, False])
    def test_during_a_call_the_event_is_tried_again(self, events, connect, calls, atomic):
        ended: list[Event] = []

        def loses_its_session(event, replay, **kwargs):
            if replay and event.primary_key == 1 and not ended:
                ended.append(event)
                end_session()
                Group.objects.count()

        connect(signals.ticket_changed, loses_its_session, atomic=atomic)
        done = replay(planned_for(loses_its_session))
        assert ended
        assert (done.state, done.done, done.failed, done.stalls) == ("finished", EVENTS, 0, 0)
        assert set(done.runs.values_list("outcome", flat=True)) == {"succeeded"}
        assert done.runs.count() == EVENTS

    def test_between_two_events_nobody_notices(self, events, calls):
        def end(event: Event) -> None:
            end_session()

        done = replay(planned_for(), progress=end)
        assert (done.state, done.done, done.failed) == ("finished", EVENTS, 0)
        assert list(done.runs.values_list("event", "outcome")) == [
            (event.pk, "succeeded") for event in events
        ]

    def test_a_receiver_that_ends_it_each_time_is_given_up(self, events, connect, calls):
        def always(event, replay, **kwargs):
            if replay and event.primary_key == 1:
                end_session()
                Group.objects.count()

        connect(signals.ticket_changed, always)
        done = replay(planned_for())
        assert (done.state, done.done, done.failed) == ("finished", EVENTS - 1, 1)
        (given_up,) = done.runs.exclude(outcome="succeeded")
        assert (given_up.outcome, given_up.receiver) == ("gave_up", dotted_path(always))
        assert calls == list(range(EVENTS))

    def test_a_database_that_stays_away_breaks_it_off_and_fails_nothing(
        self, events, calls, away_in_replay
    ):
        with away_in_replay(1), pytest.raises(Exception, match=r"(?i)connect|server"):
            replay(planned_for())
        stored = Replay.objects.get()
        assert (stored.done, stored.failed) == (1, 0)
        lapse()
        assert replay(stored).done == EVENTS
        assert calls == list(range(EVENTS))
