"""The queues that are compared: what fills each, and the worker that works it off."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .figures import Round
from .places import bench_database
from .processes import Worker, other_code, started, worker

MAX_SECONDS = 90
"""For one measuring; a worker that needs longer is stopped and has its rate so far."""


@dataclass(frozen=True)
class Contender:
    """A queue and its worker; ``filled_by`` names a function of ``backlog``, with ``filling``."""

    filled_by: str
    command: tuple[str, ...]
    receiver: str = "write"
    apps: str = ""
    hooks: dict[str, Any] = field(default_factory=dict)
    checkout: Path | None = None
    filling: dict[str, Any] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {
            "BENCH_APPS": f"superoffice_hooks benchmarks.contenders {self.apps}",
            "BENCH_HOOKS": json.dumps(self.hooks),
            "BENCH_RECEIVER": self.receiver,
        }


OURS = ("superoffice_dispatch", "--watch")
PROCRASTINATE = ("procrastinate", "worker")
DEFAULT = Contender("due", OURS)


class Filled:
    """A contender with a database of its own, and a process that fills it."""

    def __init__(self, contender: Contender, url: str, environment: dict[str, str], tell: Worker):
        self.contender, self.url, self.environment, self.tell = contender, url, environment, tell

    def fill(self, count: int) -> None:
        self.tell(self.contender.filled_by, count=count, **self.contender.filling)

    def work(self, calls: int) -> Round:
        """Start the worker, and let it go on until there were so many calls."""
        command = [sys.executable, "-m", "django", *self.contender.command]
        with TemporaryDirectory() as directory:
            noted = Path(directory) / "meter.json"
            meter = {"BENCH_METER": str(noted), "BENCH_STOP_AFTER": str(calls)}
            environment, pipe = self.environment | meter, subprocess.PIPE
            with started(command, self.url, environment, stdout=pipe, stderr=pipe) as process:
                try:
                    _, errors = process.communicate(timeout=MAX_SECONDS)
                except subprocess.TimeoutExpired:
                    process.terminate()
                    _, errors = process.communicate(timeout=20)
            if not noted.exists():
                raise RuntimeError(f"{self.contender.command}: {errors.decode()[-2000:]}")
            result: Round = json.loads(noted.read_text())
        return result


@contextmanager
def filled(contender: Contender, url: str) -> Iterator[Filled]:
    """A contender on a server."""
    with ExitStack() as stack:
        environment = contender.environment() | stack.enter_context(other_code(contender.checkout))
        database = stack.enter_context(bench_database(url, **environment))
        tell = stack.enter_context(worker(database, **environment))
        yield Filled(contender, database, environment, tell)
