"""Many processes at the same events: each is dispatched once, and misbehaviour stays contained."""

import signal
import time

import pytest

from superoffice_hooks.testing import SuperOffice, Webhook, notification

from . import SECRET
from .conftest import IS_SQLITE, once
from .figures import count
from .processes import wait_until
from .servers import WebServer

pytestmark = pytest.mark.hard

CALLING = "SELECT count(*) FROM superoffice_hooks_event WHERE calling <> ''"
PENDING = 500 if IS_SQLITE else 1000


def test_eight_processes_dispatch_each_pending_event_once(database_url, project_on, say):
    project = project_on(database_url, DISPATCH="worker", LEASE_SECONDS=300)
    project.run("tests.hard.fill", str(PENDING))
    processes = [project.dispatch() for _ in range(8)]
    wait_until(
        lambda: all(process.poll() is not None for process in processes),
        "8 dispatchers to end",
        seconds=300,
    )
    assert [process.returncode for process in processes] == [0] * 8
    report = project.settle()
    say(f"8 processes, {PENDING} events: {report['statuses']}")
    assert report["statuses"] == {"succeeded": PENDING}
    assert not count(report).examples


def delivered(project, name: str) -> str:
    server = WebServer(project)
    event = notification(name)
    (attempt,) = SuperOffice(delays=(0,)).deliver(Webhook(url=server.url, secret=SECRET), event)
    assert attempt.status == 200
    server.master.send_signal(signal.SIGTERM)
    server.master.wait(30)
    return str(event["EventId"])


def test_a_receiver_that_outlives_its_lease_counts_once(database_url, project_on):
    project = project_on(database_url, DISPATCH="worker", LEASE_SECONDS=1)
    event_id = delivered(project, "hard.hangs")
    project.environment["HARD_HANG_SECONDS"] = "4"
    slow = project.dispatch()
    wait_until(lambda: project.ask(CALLING), "the call")
    time.sleep(1.5)
    project.environment["HARD_HANG_SECONDS"] = "0"
    report = project.settle()
    assert slow.wait(60) == 0
    report = project.settle()
    assert not count(report, [event_id]).examples
    assert report["statuses"] == {"succeeded": 1}


@once
def test_sigterm_ends_a_watcher_after_the_event_in_hand(database_url, project_on):
    project = project_on(database_url, DISPATCH="worker", LEASE_SECONDS=300)
    project.run("tests.hard.fill", "400")
    watcher = project.dispatch("--watch", "--batch=50")
    wait_until(lambda: "succeeded" in statuses(project), "the first events")
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(60) == 0
    assert statuses(project).keys() <= {"pending", "succeeded"}
    assert project.settle()["statuses"] == {"succeeded": 400}


def statuses(project):
    return project.report()["statuses"]
