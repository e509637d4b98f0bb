"""A project of its own in processes of its own, all of which end with the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent.parent


class Project:
    """The hard tests' project on one database."""

    def __init__(
        self, database_url: str, environment: Mapping[str, str] | None = None, **hooks: Any
    ) -> None:
        self.environment = {
            **os.environ,
            **(environment or {}),
            "DJANGO_SETTINGS_MODULE": "tests.hard.settings",
            "HARD_DATABASE_URL": database_url,
            "HARD_HOOKS": json.dumps(hooks),
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self.run("django", "migrate", "--run-syncdb", "--verbosity=0")

    def run(self, module: str, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        command = [sys.executable, "-m", module, *arguments]
        ended = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.started.append(process)
        return process

    def serve(self, workers: int = 3) -> tuple[str, subprocess.Popen[bytes]]:
        """The webhook's URL, and gunicorn's master."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        options = (f"--bind=127.0.0.1:{port}", f"--workers={workers}", "--graceful-timeout=5")
        master = self.start("gunicorn", "tests.hard.wsgi", *options)
        wait_until(lambda: answers(port))
        return f"http://127.0.0.1:{port}/superoffice/webhook/", master

    def dispatch(self, *options: str) -> subprocess.Popen[bytes]:
        return self.start("django", "superoffice_dispatch", *options)

    def settle(self) -> dict[str, Any]:
        """Dispatch until nothing is left to do; what the database says then."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            self.run("django", "superoffice_dispatch")
            report: dict[str, Any] = self.report()
            if not {"pending", "running"} & report["statuses"].keys():
                return report
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


def workers(master: subprocess.Popen[bytes]) -> list[int]:
    with suppress_gone():
        return [child.pid for child in psutil.Process(master.pid).children()]
    return []


def kill(pid: int) -> None:
    with suppress_gone():
        os.kill(pid, signal.SIGKILL)


def answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/superoffice/webhook/")
        return connection.getresponse().status == 405
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.05)
