"""DISPATCH = "task" on real queues: with workers that are killed, and with a queue that is down."""

import fcntl
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
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
SLOW_EVENTS = 30
CELERY = ("celery", "--app=django_tasks_fennel.app", "worker", "--concurrency=2")
WORKERS = {
    "database": ("django", "db_worker", "--interval=0.1"),
    "redis": ("django", "rqworker", "--job-class=django_tasks_rq.Job"),
    "rabbitmq": (*CELERY, "--without-mingle", "--without-gossip", "--loglevel=WARNING"),
}
SERVERS = {"redis": "TEST_REDIS_URL", "rabbitmq": "TEST_RABBITMQ_URL"}
"""The variable that names the server of a queue."""
NOBODY_LISTENS = {"redis": "redis://127.0.0.1:1/0", "rabbitmq": "amqp://127.0.0.1:1//"}
CALLED = "SELECT count(*) FROM superoffice_hooks_event WHERE calling <> ''"


@pytest.fixture(params=WORKERS)
def queue(request) -> Iterator[dict[str, str]]:
    """What the project's settings need to know of its queue."""
    variable = SERVERS.get(request.param, "")
    if variable and variable not in os.environ:
        pytest.skip(f"{variable} is not set, so that queue was not tried.")
    # All projects have one queue in Redis, so a worker of one would take the tasks of another.
    with (Path(tempfile.gettempdir()) / f"superoffice_hooks_{request.param}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield {"HARD_QUEUE": request.param, "HARD_QUEUE_URL": os.environ.get(variable, "")}


def send(project: Project, events: int, name: str = "ticket.changed") -> list[str]:
    """Post so many events, each answered 200 at the first attempt; their EventIds."""
    server = WebServer(project)
    superoffice, webhook = SuperOffice(delays=(0,)), Webhook(url=server.url, secret=SECRET)
    sent = [notification(name, PrimaryKey=number) for number in range(20, 20 + events)]
    answers = [superoffice.deliver(webhook, event)[0].status for event in sent]
    assert answers == [200] * events
    server.master.send_signal(signal.SIGTERM)
    server.master.wait(30)
    return [event["EventId"] for event in sent]


def work(project: Project, queue: dict[str, str]) -> subprocess.Popen[bytes]:
    kind = queue["HARD_QUEUE"]
    # RabbitMQ knows each worker by its name.
    name = (f"--hostname={uuid.uuid4()}",) if kind == "rabbitmq" else ()
    return project.start(*WORKERS[kind], *name)


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker, the processes in which it runs tasks first."""
    for child in psutil.Process(process.pid).children(recursive=True):
        kill(child.pid)
    kill(process.pid)


def test_workers_dispatch_each_event_once_though_one_is_killed(
    queue, database_url, project_on, say
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
    done = f"{by_workers} of {EVENTS} events were dispatched by its workers"
    say(f"Queue in {queue['HARD_QUEUE']}: {done}, the rest by the command.")
    assert not count(report, sent).examples
    assert report["statuses"] == {"succeeded": EVENTS}


def test_a_worker_is_killed_in_a_receiver_and_each_event_is_dispatched_once(
    queue, database_url, project_on
):
    project = project_on(database_url, queue, DISPATCH="task", LEASE_SECONDS=3)
    sent = send(project, SLOW_EVENTS, "hard.slow")
    first, _second = work(project, queue), work(project, queue)
    wait_until(lambda: project.ask(CALLED), "a receiver that is called", seconds=180)
    kill_with_children(first)
    wait_until(lambda: project.unfinished() < SLOW_EVENTS * 0.5, "half of them", seconds=180)
    report = project.settle()
    assert not count(report, sent).examples
    assert report["statuses"] == {"succeeded": SLOW_EVENTS}


@pytest.mark.parametrize("kind", NOBODY_LISTENS)
def test_a_queue_that_is_down_costs_nothing_but_time(kind, database_url, project_on):
    down = {"HARD_QUEUE": kind, "HARD_QUEUE_URL": NOBODY_LISTENS[kind]}
    project = project_on(database_url, down, DISPATCH="task", LEASE_SECONDS=2)
    sent = send(project, 20)
    assert project.report()["statuses"] == {"pending": 20}
    time.sleep(2)
    report = project.settle()
    assert not count(report, sent).examples
    assert report["statuses"] == {"succeeded": 20}
