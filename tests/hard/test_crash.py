"""Processes are killed at random moments under load: what was acknowledged is done, once."""

import random
import signal
import threading
import time
from collections import Counter

import pytest

from superoffice_hooks.testing import SuperOffice, Webhook, notification

from . import SECRET
from .conftest import URL
from .processes import kill, wait_until, workers

pytestmark = pytest.mark.hard

EVENTS, KILLS = (2000, 30) if URL.startswith("postgresql") else (300, 8)
SENDERS = 4
MOST_EVENTS = 20_000


class Load:
    """SuperOffice, sending until it is told to stop; remembers what was answered 200."""

    def __init__(self, url: str) -> None:
        # Ten times as fast as the real one.
        self.superoffice = SuperOffice(sleep=lambda seconds: time.sleep(seconds / 10), timeout=20)
        self.url = url
        self.acknowledged: set[str] = set()
        self.sent = 0
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.send) for _ in range(SENDERS)]

    def send(self) -> None:
        while not self.enough.is_set() and self.sent < MOST_EVENTS:
            self.sent += 1
            event = notification(PrimaryKey=self.sent)
            webhook = Webhook(url=self.url, secret=SECRET)
            if any(a.succeeded for a in self.superoffice.deliver(webhook, event)):
                self.acknowledged.add(event["EventId"])

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.enough.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("mode", ["after_response", "worker"])
def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    mode, database_url, project_on, capsys
):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    project = project_on(database_url, DISPATCH=mode)
    url, master = project.serve()
    dispatchers = [project.dispatch("--watch", "--interval=0.1") for _ in range(2)]
    load = Load(url)
    load.start()
    kills: Counter[str] = Counter()
    while kills.total() < KILLS or len(load.acknowledged) < EVENTS:
        time.sleep(chance.uniform(0.1, 0.5))
        assert any(thread.is_alive() for thread in load.threads)
        if chance.random() < 0.5:
            index = chance.randrange(len(dispatchers))
            kill(dispatchers[index].pid)
            dispatchers[index] = project.dispatch("--watch", "--interval=0.1")
            kills["dispatchers"] += 1
        elif alive := workers(master):
            kill(chance.choice(alive))
            kills["web workers"] += 1
    load.stop()
    for process in (master, *dispatchers):
        process.send_signal(signal.SIGTERM)
    wait_until(lambda: all(p.poll() is not None for p in (master, *dispatchers)))
    report = project.settle()

    stored, arrived = set(report["events"]), report["arrivals"]
    figures = {
        "killed": ", ".join(f"{count} {who}" for who, count in kills.items()),
        "events answered 200": len(load.acknowledged),
        "of them missing": len(load.acknowledged - stored),
        "receiver rows missing": len(stored - arrived.keys()),
        "receiver rows duplicated": sum(count > 1 for count in arrived.values()),
        "runs that succeeded twice": sum(count > 1 for count in report["successes"].values()),
    }
    with capsys.disabled():
        print(f"\nCrash test, {mode}, {database_url.partition(':')[0]}, seed {seed}")  # noqa: T201
        for what, figure in figures.items():
            print(f"  {what:28} {figure}")  # noqa: T201
    assert set(list(figures.values())[2:]) == {0}
    assert report["statuses"] == {"succeeded": len(stored)}
