"""DISPATCH = "task" on real queues: with workers that are killed, and with a queue that is down."""

import os
import signal
import subprocess
import time

import pytest

from superoffice_hooks.testing import SuperOffice, Webhook, notification

from . import SECRET
from .conftest import URL
from .figures import count
from .processes import Project, kill, wait_until
from .servers import WebServer

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(
        not URL.startswith("postgresql"), reason="Queues are tried on one database."
    ),
]

EVENTS = 100
WORKERS = {
    "database": ("db_worker", "--interval=0.1"),
    "redis": ("rqworker", "--job-class=django_tasks_rq.Job"),
}
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


@pytest.fixture(params=WORKERS)
def queue(request) -> dict[str, str]:
    """What the project's settings need to know of its queue."""
    if request.param == "redis" and "TEST_REDIS_URL" not in os.environ:
        pytest.skip("TEST_REDIS_URL is not set, so the queue in Redis was not tried.")
    return {"HARD_QUEUE": request.param, "HARD_REDIS_URL": os.environ.get("TEST_REDIS_URL", "")}


def send(project: Project, events: int) -> list[str]:
    """Post so many events, each answered 200 at the first attempt; their EventIds."""
    server = WebServer(project)
    superoffice, webhook = SuperOffice(delays=(0,)), Webhook(url=server.url, secret=SECRET)
    sent = [notification(PrimaryKey=number) for number in range(20, 20 + events)]
    answers = [superoffice.deliver(webhook, event)[0].status for event in sent]
    assert answers == [200] * events
    server.master.send_signal(signal.SIGTERM)
    server.master.wait(30)
    return [event["EventId"] for event in sent]


def work(project: Project, queue: dict[str, str]) -> subprocess.Popen[bytes]:
    return project.start("django", *WORKERS[queue["HARD_QUEUE"]])


def test_workers_dispatch_each_event_once_though_one_is_killed(
    queue, database_url, project_on, capsys
):
    project = project_on(database_url, queue, DISPATCH="task", LEASE_SECONDS=5)
    sent = send(project, EVENTS)
    first = work(project, queue)
    wait_until(lambda: project.unfinished() < EVENTS, "the first event", seconds=180)
    kill(first.pid)
    work(project, queue)
    wait_until(lambda: project.unfinished() < EVENTS * 0.1, "nine tenths", seconds=180)
    by_workers = EVENTS - project.unfinished()
    time.sleep(5)
    report = project.settle()
    with capsys.disabled():
        done = f"{by_workers} of {EVENTS} events were dispatched by its workers"
        print(f"\nQueue in {queue['HARD_QUEUE']}: {done}, the rest by the command.")  # noqa: T201
    assert not count(report, sent).examples
    assert report["statuses"] == {"succeeded": EVENTS}


def test_a_queue_that_is_down_costs_nothing_but_time(database_url, project_on):
    down = {"HARD_QUEUE": "redis", "HARD_REDIS_URL": NOBODY_LISTENS}
    project = project_on(database_url, down, DISPATCH="task", LEASE_SECONDS=2)
    sent = send(project, 20)
    assert project.report()["statuses"] == {"pending": 20}
    time.sleep(2)
    report = project.settle()
    assert not count(report, sent).examples
    assert report["statuses"] == {"succeeded": 20}
