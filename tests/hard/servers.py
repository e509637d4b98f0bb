"""The web servers that the hard tests try, each under one interface."""

import socket
import subprocess
import time
from collections.abc import Callable

import psutil

from .processes import Project, answers, suppress_gone, wait_until

WEB_PROCESSES = 2
UNDER_GUNICORN = (f"--workers={WEB_PROCESSES}", "--graceful-timeout=5", "tests.hard.wsgi")
THREADS = ("--worker-class=gthread", "--threads=4")
ASGI = "tests.hard.asgi:application"

SERVERS: dict[str, Callable[[int], tuple[str, ...]]] = {
    "gunicorn sync": lambda port: ("gunicorn", f"--bind=127.0.0.1:{port}", *UNDER_GUNICORN),
    "gunicorn gthread": lambda port: (
        *("gunicorn", f"--bind=127.0.0.1:{port}", *THREADS),
        *UNDER_GUNICORN,
    ),
    "gunicorn gthread --preload": lambda port: (
        *("gunicorn", "--preload", f"--bind=127.0.0.1:{port}", *THREADS),
        *UNDER_GUNICORN,
    ),
    "uvicorn": lambda port: ("uvicorn", f"--port={port}", "--lifespan=off", ASGI),
    "daphne": lambda port: ("daphne", "-b", "127.0.0.1", "-p", str(port), ASGI),
}
"""The module to run and its arguments, for a port."""


class WebServer:
    """One server on one port, which a test may kill and start again."""

    def __init__(self, project: Project, kind: str = "gunicorn sync") -> None:
        self.project = project
        self.kind = kind
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/superoffice/webhook/"
        self.start()

    def start(self) -> None:
        self.master: subprocess.Popen[bytes] = self.project.start(*SERVERS[self.kind](self.port))
        wait_until(self.answers, f"{self.kind} to answer")

    def answers(self) -> bool:
        return answers(self.port)

    def revive(self) -> None:
        """Do what a supervisor does: start a server that has ended."""
        if self.master.poll() is not None:
            self.start()

    def pids(self) -> list[int]:
        """The processes that answer requests."""
        if not self.kind.startswith("gunicorn"):
            return [self.master.pid]
        with suppress_gone():
            return [child.pid for child in psutil.Process(self.master.pid).children()]
        return []

    def wake(self) -> None:
        """Let each process answer something, since its loop starts with a request."""
        deadline = time.monotonic() + 60
        for _ in range(10 * WEB_PROCESSES):
            while not self.answers():
                assert time.monotonic() < deadline, f"{self.kind} no longer answers."
                time.sleep(0.1)
