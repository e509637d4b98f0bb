"""dj-stripe in an environment of its own: the project does not depend on it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from .places import bench_database
from .processes import ROOT, Worker, worker

NAME = "dj-stripe 2.11"
WANTED = ("dj-stripe==2.11.0", "stripe>=15.0.1,<16")


@contextmanager
def dj_stripe(url: str) -> Iterator[Worker | None]:
    """A worker with dj-stripe and a database of its own; None where pip does not get it."""
    with TemporaryDirectory() as directory:
        # Without what they depend on: that would bring a Django of their own along.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        got = subprocess.run(
            [*command, "--target", directory, *WANTED], check=False, capture_output=True, text=True
        )
        if got.returncode:
            print(f"Without {NAME}: {got.stderr.strip()}", file=sys.stderr)
            yield None
            return
        environment = {
            "BENCH_APPS": "superoffice_hooks benchmarks.contenders djstripe",
            "PYTHONPATH": os.pathsep.join([str(ROOT), directory]),
        }
        with (
            bench_database(url, **environment) as database,
            worker(database, **environment) as tell,
        ):
            yield tell
