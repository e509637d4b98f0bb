"""Processes of ours: each is ended, by its number, when its block ends."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

ROOT = Path(__file__).parent.parent


class Worker:
    """A process that measures; ``worker("ingest", contender="floor", count=100)``."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, function: str, **arguments: Any) -> Any:
        self.begin(function, **arguments)
        return self.result()

    def begin(self, function: str, **arguments: Any) -> None:
        """Tell it what to do, and do not wait for it."""
        assert self._process.stdin
        order = json.dumps({"function": function, "arguments": arguments})
        try:
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._raise()

    def result(self) -> Any:
        """Wait for what was begun."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._raise()
        return json.loads(line)

    def _raise(self) -> NoReturn:
        raise RuntimeError(f"A worker ended with status {self._process.wait()}.")


@contextmanager
def worker(url: str, **environment: str) -> Iterator[Worker]:
    """A worker on a database."""
    command = [sys.executable, "-m", "benchmarks.worker"]
    pipe = subprocess.PIPE
    with started(command, url, environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield Worker(process)


@contextmanager
def started(
    command: list[str], url: str, environment: dict[str, str], **options: Any
) -> Iterator["subprocess.Popen[Any]"]:
    """A process in this project on a database."""
    process = subprocess.Popen(
        command, cwd=code(environment), env=environment_on(url, **environment), **options
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def manage(url: str, *arguments: str, **environment: str) -> str:
    """What a management command prints; it must succeed."""
    command = [sys.executable, "-m", "django", *arguments]
    return subprocess.run(
        command,
        cwd=code(environment),
        env=environment_on(url, **environment),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def environment_on(url: str, **more: str) -> dict[str, str]:
    """The environment of every process that is started here."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "BENCH_DATABASE_URL": url,
        "PYTHONPATH": str(ROOT),
        **more,
    }


def code(environment: Mapping[str, str]) -> str:
    """The directory that Python imports from first: BENCH_CODE, or this checkout."""
    return environment.get("BENCH_CODE", str(ROOT))


@contextmanager
def other_code(checkout: Path | None) -> Iterator[dict[str, str]]:
    """The environment in which the app is another checkout's, and the benchmarks are these."""
    if checkout is None:
        yield {}
        return
    with TemporaryDirectory() as directory:
        package = "superoffice_hooks"
        (Path(directory) / package).symlink_to((checkout / package).resolve(strict=True))
        yield {"BENCH_CODE": directory}
