"""A spool on a disk that is really full: a small file system in memory, mounted for the test."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from superoffice_hooks.testing import SuperOffice, Webhook, notification

from . import SECRET
from .figures import count
from .processes import wait_until
from .servers import WebServer

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """One megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.name == "nt" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("No file system can be mounted here.")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_refuses_and_is_drained_to_the_last_delivery(
    small_disk, database_url, project_on, say
):
    project = project_on(database_url, SPOOL_DIR=str(small_disk / "spool"))
    project.environment["HARD_DATABASE_AWAY"] = "1"
    server = WebServer(project)
    url, master = server.url, server.master
    superoffice = SuperOffice(delays=(0,), timeout=20)
    accepted: list[str] = []
    refused = 0
    while refused < 5:
        event = notification(PrimaryKey=len(accepted))
        (attempt,) = superoffice.deliver(Webhook(url=url, secret=SECRET), event)
        if attempt.status == 200:
            accepted.append(str(event["EventId"]))
        else:
            assert attempt.status == 503
            refused += 1
    master.terminate()
    wait_until(lambda: master.poll() is not None, "the server to end")
    # Not a byte is left, either.
    with suppress(OSError), (small_disk / "rest").open("wb", buffering=0) as rest:
        while True:
            rest.write(b"x" * 1024)
    assert os.statvfs(small_disk).f_bavail == 0
    del project.environment["HARD_DATABASE_AWAY"]
    report = project.settle()
    say(f"Full disk: {len(accepted)} accepted, {refused} refused, all drained")
    assert len(accepted) > 20
    assert sorted(report["events"]) == sorted(accepted)
    assert not count(report, accepted).examples
    assert not list(small_disk.rglob("*.delivery"))
