"""PostgreSQL really hangs under load: with a spool nobody waits for it."""

import time

import pytest

from superoffice_hooks.testing import SuperOffice, Webhook, notification

from . import SECRET
from .figures import count
from .servers import WebServer

# Half of the answers may take no longer than a quiet machine needs.
pytestmark = [pytest.mark.hard, pytest.mark.alone]

OUTAGE_SECONDS = 10


@pytest.mark.parametrize("kept", ["0", "600"], ids=["new connections", "kept connections"])
def test_a_database_that_hangs_keeps_nobody_waiting(server, project_on, tmp_path, say, kept):
    """All its processes are stopped where they are: connections stay open, and nothing answers."""
    database = f"{server.url}{'&' if '?' in server.url else '?'}connect_timeout=2"
    environment = {"HARD_CONN_MAX_AGE": kept}
    spool = {"SPOOL_DIR": str(tmp_path / "spool"), "DISPATCH": "worker"}
    project = project_on(database, environment, **spool)
    url = WebServer(project).url
    superoffice = SuperOffice(delays=(0,), timeout=20)
    webhook = Webhook(url=url, secret=SECRET)
    sent: list[str] = []
    seconds: list[float] = []
    answers: list[int | None] = []

    def send() -> None:
        event = notification(PrimaryKey=len(sent))
        sent.append(str(event["EventId"]))
        (attempt,) = superoffice.deliver(webhook, event)
        seconds.append(attempt.elapsed)
        answers.append(attempt.status)

    for _ in range(20):
        send()
    with server.stopped_where_it_is():
        began = time.monotonic()
        while time.monotonic() - began < OUTAGE_SECONDS:
            send()
            time.sleep(0.02)
    during = sorted(seconds[20:])
    median, slowest = during[len(during) // 2], during[-1]
    report = project.settle()
    told = f"{len(during)} answers, median {median * 1000:.0f} ms, slowest {slowest:.1f} s"
    say(f"Hanging database, with a spool: {told}")
    assert set(answers) == {200}
    assert median < 0.05
    assert slowest < 10
    assert not count(report, sent).examples
    assert set(report["events"]) == set(sent)
