"""Processes are ended, killed and frozen at random under load: all is done, and once."""

import signal
import subprocess
import time

import pytest

from .conftest import IS_POSTGRES, once
from .processes import send, wait_until

pytestmark = pytest.mark.hard

MANY, SOME = (500, 100) if IS_POSTGRES else (100, 40)
REPLAYED = 150
POSITION = "SELECT coalesce(max(position), 0) FROM superoffice_hooks_replay"
BLOWS = {signal.SIGKILL: 6, signal.SIGTERM: 6, signal.SIGSTOP: 2}
SUCCEEDED = "SELECT count(*) FROM superoffice_hooks_event WHERE status = 'succeeded'"

# Databases differ in their locks, and in what a transaction sees: on each, every mode, and every
# signal, is tried. PostgreSQL alone has all of their pairs.
EVERYWHERE = [
    ("in_process", signal.SIGKILL, False, MANY),
    ("worker", signal.SIGSTOP, True, SOME),
    ("task", signal.SIGTERM, False, SOME),
]
OTHERS = [
    ("in_process", signal.SIGTERM, True, SOME),
    ("in_process", signal.SIGSTOP, True, SOME),
    ("worker", signal.SIGKILL, True, MANY),
    ("worker", signal.SIGTERM, False, SOME),
    ("task", signal.SIGKILL, True, SOME),
    ("task", signal.SIGSTOP, False, SOME),
]


@pytest.mark.parametrize(
    ("mode", "blow", "ordered", "events"),
    EVERYWHERE + (OTHERS if IS_POSTGRES else []),
    ids=lambda value: getattr(value, "name", None),
)
def test_web_processes_and_dispatchers_may_be_signalled_at_any_time(
    mode, blow, ordered, events, database_url, rig_on
):
    queue = {"HARD_QUEUE": "database"} if mode == "task" else {}
    rig = rig_on(database_url, queue, DISPATCH=mode, ORDERED=ordered)
    rig.serve()
    rig.harass(blow, events, blows=BLOWS[blow] * (2 if events == MANY else 1))
    rig.judge(f"{mode}, {blow.name}{', ORDERED' * ordered}")


@pytest.mark.parametrize(
    "blow", BLOWS if IS_POSTGRES else [signal.SIGKILL], ids=lambda blow: blow.name
)
def test_a_replay_may_be_signalled_at_any_time(blow, database_url, rig_on):
    """A replay for one receiver is struck; receivers that were not chosen are never called."""
    rig = rig_on(database_url, DISPATCH="worker", LEASE_SECONDS=1)
    rig.project.run("tests.hard.fill", str(2 * REPLAYED))
    planned = rig.project.settle()["events"][:REPLAYED]
    receiver = "--receiver=tests.hard.arrivals.receivers.arrive"
    arguments = ("superoffice_replay", f"--limit={REPLAYED}", "--all", receiver)
    command = rig.project.start("django", *arguments)
    # Who recovers knows a receiver that was not there when the events were dispatched.
    late = {"HARD_LATE": "1"}
    rig.watch(environment=late)
    rig.watch(environment=late)
    struck = 0
    wait_until(lambda: rig.project.ask(POSITION), "the replay to begin")
    while struck < BLOWS[blow] and rig.project.unfinished():
        strike(rig, command, blow)
        struck += 1
        time.sleep(rig.chance.uniform(0.1, 0.5))
    replay = rig.judge(f"Replay, {struck} times {blow.name}", replayed={1: planned})
    (row,) = replay["replays"]
    again = [event_id for event_id, _, number, _ in replay["arrivals"] if number == row["id"]]
    assert struck
    assert row["done"] + row["failed"] == len(planned)
    assert len(again) == len(planned) - row["busy"]


def strike(rig, command: subprocess.Popen[bytes], blow: signal.Signals) -> None:
    running = [dispatcher.process.pid for dispatcher in rig.dispatchers if dispatcher.is_up]
    if command.poll() is None:
        running.append(command.pid)
    if not running:
        return
    pid = rig.chance.choice(running)
    send(pid, blow)
    if blow == signal.SIGSTOP:
        rig.frozen.append(pid)
        time.sleep(2 * rig.project.hooks["LEASE_SECONDS"] + 1.5)
        rig.thaw()
    rig.revive()


@once
def test_sigterm_gives_back_what_was_not_begun(database_url, rig_on):
    """Nobody waits for a lease, and no attempt is lost, when a dispatcher is told to end."""
    rig = rig_on(database_url, DISPATCH="worker", LEASE_SECONDS=300)
    rig.project.run("tests.hard.fill", "30", "hard.slow")
    watcher = rig.watch()
    wait_until(lambda: rig.project.ask(SUCCEEDED), "the first event")
    watcher.process.send_signal(signal.SIGTERM)
    assert watcher.process.wait(30) == 0
    rig.dispatchers.clear()
    started = time.monotonic()
    rig.watch()
    report = rig.judge("SIGTERM within a lease of 300 s")
    assert time.monotonic() - started < 60
    assert report["statuses"] == {"succeeded": 30}


@pytest.mark.parametrize("mode", ["worker", "in_process"] if IS_POSTGRES else ["worker"])
def test_of_ten_claimed_events_only_the_one_that_kills_its_process_fails(
    mode, database_url, rig_on
):
    rig = rig_on(database_url, DISPATCH=mode, MAX_ATTEMPTS=3, LEASE_SECONDS=1)
    rig.project.run("tests.hard.fill", "4", "hard.slow")
    rig.project.run("tests.hard.fill", "1", "hard.kills")
    rig.project.run("tests.hard.fill", "5", "hard.slow")
    if mode == "worker":
        rig.watch()
    else:
        rig.serve()
    report = rig.judge(f"One event of ten kills its process, {mode}")
    assert report["statuses"] == {"succeeded": 9, "failed": 1}
    failures = [(who, outcome) for _, who, _, outcome in report["runs"] if outcome != "succeeded"]
    assert set(failures) == {("kill_the_process", "gave_up")}
