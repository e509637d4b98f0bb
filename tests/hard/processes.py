"""A project of its own in processes of its own, all of which end with the test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from ..databases import connected

ROOT = Path(__file__).parent.parent.parent
UNFINISHED = """
    SELECT (SELECT count(*) FROM superoffice_hooks_event WHERE status IN ('pending', 'waiting'))
        + (SELECT count(*) FROM superoffice_hooks_receiverrun WHERE outcome = 'joined')
        + (SELECT coalesce(sum(1 + up_to - position), 0)
            FROM superoffice_hooks_replay WHERE finished_at IS NULL)
"""
COMMAND_SECONDS = 300


class Project:
    """The hard tests' project on one database."""

    def __init__(
        self, database_url: str, environment: Mapping[str, str] | None = None, **hooks: Any
    ) -> None:
        self.url = database_url
        self.hooks = hooks
        self.environment = {
            **os.environ,
            **(environment or {}),
            "DJANGO_SETTINGS_MODULE": "tests.hard.settings",
            "HARD_DATABASE_URL": database_url,
            "HARD_HOOKS": json.dumps(hooks),
        }
        self.started: list[subprocess.Popen[bytes]] = []

    def migrate(self) -> None:
        self.run("django", "migrate", "--run-syncdb", "--verbosity=0")

    def run(self, module: str, *arguments: str) -> str:
        """Return what a command prints; it must succeed."""
        command = [sys.executable, "-m", module, *arguments]
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def start(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        with self.log(module).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.environment, **(environment or {})},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.started.append(process)
        return process

    def log(self, module: str) -> Path:
        """The file for what a process says: in HARD_LOGS, if that names a directory."""
        if "HARD_LOGS" not in os.environ:
            return Path(os.devnull)
        name = f"{module}-{int(time.time())}-{len(self.started)}.log"
        return Path(os.environ["HARD_LOGS"]) / name

    def dispatch(self, *options: str, **rest: Any) -> subprocess.Popen[bytes]:
        return self.start("django", "superoffice_dispatch", *options, **rest)

    def watch(self, **rest: Any) -> subprocess.Popen[bytes]:
        return self.dispatch("--watch", "--interval=0.1", **rest)

    def unfinished(self) -> int:
        """Count the events that are not finished, and what is left to do of the replays."""
        return self.ask(UNFINISHED)

    def ask(self, question: str) -> int:
        """Return the number that a SELECT finds."""
        with connected(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(question)
            return int(cursor.fetchone()[0])

    def settle(self) -> dict[str, Any]:
        """Dispatch until nothing is left to do; what the database says then."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            self.run("django", "superoffice_dispatch")
            if not self.unfinished():
                return self.report()
            time.sleep(0.5)
        raise AssertionError(f"It does not come to rest: {self.report()['statuses']}")

    def report(self) -> dict[str, Any]:
        """What the database says now."""
        found: dict[str, Any] = json.loads(self.run("tests.hard.report"))
        return found

    def end(self) -> None:
        for process in self.started:
            with suppress_gone():
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
            process.wait()


def suppress_gone() -> AbstractContextManager[None]:
    return suppress(psutil.NoSuchProcess, ProcessLookupError)


def send(pid: int, number: int) -> None:
    with suppress_gone():
        os.kill(pid, number)


def kill(pid: int) -> None:
    send(pid, signal.SIGKILL)


def answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/superoffice/webhook/")
        return connection.getresponse().status == 405
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds} s in vain for {what}."
        time.sleep(0.05)
