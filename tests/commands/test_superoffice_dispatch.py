"""``superoffice_dispatch``: what is due is dispatched, and the rest is left alone."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatcher import Upkeep
from superoffice_hooks.dispatcher.gate import Gate
from superoffice_hooks.dispatching.watching import Calling
from superoffice_hooks.models import Dispatcher, Event, Replay, steps
from superoffice_hooks.models.claiming import take
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.replay import running

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db

WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("superoffice_dispatch", *arguments, stdout=out)
    return out.getvalue().strip()


def test_nothing_is_due():
    assert run() == "No event was due."


@WORKER
def test_everything_that_is_due_is_dispatched_whatever_the_batch(post, connect):
    calls = []
    connect(signals.ticket_changed, lambda event, **kwargs: calls.append(event.primary_key))
    for number in range(7):
        post(body(PrimaryKey=number))
    post(body("contact.changed"))
    assert run("--batch", "3") == "8 events were dispatched: 1 skipped, 7 succeeded."
    assert calls == list(range(7))
    assert run() == "No event was due."


@WORKER
def test_abandoned_events_are_taken_over_and_held_ones_are_not(post, connect):
    connect(signals.ticket_changed, lambda **kwargs: None)
    for number in range(2):
        post(body(PrimaryKey=number))
    for event in take(2):
        assert steps.begin(event, calling="", alone=False).apply()
    Event.objects.filter(primary_key=0).update(next_attempt_at=timezone.now())
    assert run() == "1 event was dispatched: 1 succeeded."
    assert Event.objects.get(primary_key=1).is_running


class TestReplays:
    """Replays that nobody is working on are carried on to their end."""

    @pytest.fixture
    def left(self, post, calls, monkeypatch) -> Replay:
        """A replay of five events that was planned and left; a batch has two."""
        monkeypatch.setattr(running, "BATCH_EVENTS", 2)
        for number in range(5):
            post(body(PrimaryKey=number))
        planned = running.plan(running.Criteria(), who="anna", reason="")
        planned.release()
        return planned

    def test_they_are_finished(self, left, calls):
        assert run() == "No event was due. 5 events were replayed."
        assert calls == [0, 1, 2, 3, 4]
        assert Replay.objects.get().state == "finished"
        assert run() == "No event was due."

    def test_several_take_turns(self, left, calls):
        running.plan(running.Criteria(), who="bob", reason="").release()
        assert run() == "No event was due. 10 events were replayed."
        assert calls == [0, 1, 0, 1, 2, 3, 2, 3, 4, 4]

    def test_those_in_other_hands_are_left_to_them(self, left, calls):
        assert left.take()
        assert run() == "No event was due."
        assert calls == []

    def test_cancelled_ones_are_not_begun(self, left, calls):
        left.cancel("anna")
        assert run() == "No event was due."
        assert calls == []

    def test_events_that_are_due_come_first(self, left, post, connect):
        order = []
        connect(signals.any_event, lambda event, replay, **kwargs: order.append(replay))
        with WORKER:
            post(body())
            assert run() == "1 event was dispatched: 1 succeeded. 5 events were replayed."
        assert order == [None, left, left, left, left, left]

    def test_one_that_breaks_down_does_not_hold_the_command(self, left):
        Replay.objects.create(who="later", reason="", criteria={"invented": "later"}, up_to=9)
        assert run() == "No event was due. 5 events were replayed."
        assert set(Replay.objects.values_list("who", "done")) == {
            ("anna", 5),
            ("later", 0),
        }

    @pytest.mark.django_db(transaction=True)
    def test_several_dispatchers_side_by_side_do_nothing_twice(self, left, calls):
        def dispatch() -> str:
            try:
                return run()
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: dispatch(), range(2)))
        # One that found the replay in other hands had nothing to do.
        run()
        assert calls == [0, 1, 2, 3, 4]
        done = Replay.objects.get()
        assert (done.state, done.done, done.failed) == ("finished", 5, 0)


@pytest.mark.parametrize("batch", ["0", "-1"])
def test_a_batch_of_nothing_is_an_error(batch):
    with pytest.raises(CommandError, match="--batch"):
        run(f"--batch={batch}")


@WORKER
@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_watcher_dispatches_what_comes_in_and_ends_with_the_event_in_hand(post):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings_for_watchers",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
    }
    command = [sys.executable, "-m", "django", "superoffice_dispatch", "--watch", "--interval=0.05"]
    watcher = subprocess.Popen(
        command,
        env=environment,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for number in range(3):
            post(body(PrimaryKey=number))
            wait_until(lambda: not Event.objects.filter(status="pending").exists())
        watcher.send_signal(signal.SIGTERM)
        out, _ = watcher.communicate(timeout=30)
    finally:
        watcher.kill()
        watcher.wait()
    assert watcher.returncode == 0
    assert out.strip() == "3 events were dispatched: 3 skipped."


@pytest.mark.django_db(transaction=True)
def test_a_watcher_that_is_told_to_stop_leaves_the_rest_of_a_replay(post):
    for _ in range(5):
        post(body())
    running.plan(running.Criteria(), who="anna", reason="").release()
    upkeep = Upkeep(Gate(), None)
    told = iter([False, True])
    assert upkeep.run(lambda: next(told), Calling()) == 1
    left = Replay.objects.get()
    assert (left.state, left.done, left.claim) == ("waiting", 1, None)
    assert upkeep.run(lambda: True, Calling()) == 0


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestCheck:
    """``--check`` dispatches nothing, and exits with 1 if something is wrong."""

    @WORKER
    def test_all_is_well_while_a_dispatcher_is_seen_and_nothing_waits_too_long(self, post):
        Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 2).note_seen()
        post(body())
        assert run("--check").startswith("Nothing due has waited too long")
        assert Event.objects.due().count() == 1

    @WORKER
    def test_nobody_dispatches(self):
        with pytest.raises(CommandError, match="No dispatcher has been seen ever"):
            run("--check")

    @WORKER
    def test_something_due_has_waited_too_long(self, post):
        Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 2).note_seen()
        post(body())
        Event.objects.update(next_attempt_at=InSeconds(-100))
        assert run("--check", "--max-age=200").startswith("Nothing due")
        with pytest.raises(CommandError, match="1 event is due, the oldest for 10"):
            run("--check", "--max-age=60")

    @override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "LANES": 0})
    def test_where_each_request_dispatches_no_loop_is_missed(self):
        assert run("--check").startswith("Nothing due")
