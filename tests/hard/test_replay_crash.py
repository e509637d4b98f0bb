"""Whoever carries a replay on is killed at random moments: each receiver runs once an event."""

import random
import subprocess
import time

import pytest

from .conftest import URL
from .processes import kill, wait_until

pytestmark = pytest.mark.hard

EVENTS, KILLS = (3000, 6) if URL.startswith("postgresql") else (1000, 3)


def test_a_replay_whose_processes_are_killed_calls_each_receiver_once(
    database_url, project_on, capsys
):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    project = project_on(database_url, LEASE_SECONDS=1)
    project.run("tests.hard.fill", str(EVENTS))
    assert set(project.settle()["arrivals"].values()) == {1}

    def start() -> subprocess.Popen[bytes]:
        started: subprocess.Popen[bytes] = project.dispatch("--watch", "--interval=0.1")
        return started

    def replay() -> dict[str, int]:
        found: list[dict[str, int]] = project.report()["replays"]
        return found[0] if found else {"position": 0}

    running = [project.start("django", "superoffice_replay", "--all"), start()]
    wait_until(lambda: replay()["position"])
    killed_in_the_middle = 0
    for _ in range(KILLS):
        before = replay()
        index = chance.randrange(len(running))
        kill(running[index].pid)
        running[index] = start()
        killed_in_the_middle += before["done"] < EVENTS
        time.sleep(chance.uniform(0.2, 1.5))
    wait_until(lambda: replay()["done"] + replay()["failed"] == EVENTS, seconds=120)
    report = project.settle()
    found = replay()

    calls = report["arrivals"].values()
    figures = {
        "killed while events were left": killed_in_the_middle,
        "events replayed": found["done"],
        "busy, so left to others": found["busy"],
        "called oftener than asked": sum(count > 2 for count in calls),
        "not called again": sum(count < 2 for count in calls) - found["busy"],
        "runs too many": sum(count > 2 for count in report["successes"].values()),
    }
    with capsys.disabled():
        print(f"\nReplay crash test, {database_url.partition(':')[0]}, seed {seed}")  # noqa: T201
        for what, figure in figures.items():
            print(f"  {what:30} {figure}")  # noqa: T201
    assert killed_in_the_middle
    assert set(list(figures.values())[3:]) == {0}
    assert (found["planned"], found["failed"]) == (EVENTS, found["busy"])
    assert report["statuses"] == {"succeeded": EVENTS}
