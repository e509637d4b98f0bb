"""``python -m benchmarks.start_up``: what a process pays for the app, and for its first delivery.

Processor time, which does not count how busy the machine is with others, with all code compiled, as
pip leaves it.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import django

from .figures import Bar
from .processes import ROOT, environment_on, manage

MORE_SECONDS, TIMES = 0.060, 3.0
LATER = 10
WITHOUT, ALONE, DELIVERING, FLOOR = (
    "",
    "superoffice_hooks",
    "superoffice_hooks benchmarks.contenders",
    "benchmarks.contenders",
)
"""Without the app, with the app alone, as a project that has deliveries, and as one without the app
whose own view stores them."""

PATHS = {DELIVERING: "/superoffice/webhook/", FLOOR: "/floor/"}


def start_up(rounds: int) -> list[Bar]:
    """Measure django.setup() with and without the app, and the first delivery of a process."""
    rounds = max(rounds, 9)
    with TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/start_up.sqlite3"
        manage(url, "migrate", "--run-syncdb", "--verbosity=0")
        # The first round compiles.
        of_apps = {
            apps: [_started(apps, url, directory) for _ in range(rounds + 1)][1:]
            for apps in (WITHOUT, ALONE, DELIVERING, FLOOR)
        }
    setup = {apps: median(each["setup"] for each in of_apps[apps]) for apps in (WITHOUT, ALONE)}
    more = setup[ALONE] - setup[WITHOUT]
    is_connected = any(each["connected"] for each in of_apps[ALONE])
    first, later = _first_and_later(of_apps[DELIVERING])
    first_of_floor, later_of_floor = _first_and_later(of_apps[FLOOR])
    of_django = first_of_floor - later_of_floor
    times = (first - of_django) / later
    return [
        Bar(
            "django.setup() with the app, more than without",
            f"<= {MORE_SECONDS * 1000:.0f} ms, no query",
            f"{more * 1000:.0f} ms, {'queries' if is_connected else 'no query'}",
            more <= MORE_SECONDS and not is_connected,
            "The models are much of it: Django's own work on their fields and relations.",
        ),
        Bar(
            "the first delivery of a process without what Django and the driver do first, times a"
            " later one",
            f"<= {TIMES:g}",
            f"{times:.1f} ({first * 1000:.1f} ms less {of_django * 1000:.1f} ms,"
            f" {later * 1000:.1f} ms)",
            times <= TIMES,
            "What is taken off is what the floor's first delivery takes longer than its later ones,"
            " in a process without the app: Django reads the URLs and connects to the database.",
        ),
    ]


def _first_and_later(processes: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the seconds of the first delivery of a process, and of a later one."""
    first = median(each["deliveries"][0] for each in processes)
    return first, median(seconds for each in processes for seconds in each["deliveries"][1:])


def _started(apps: str, url: str, compiled: str) -> dict[str, Any]:
    """Return what a new process measured of itself."""
    environment = environment_on(
        url,
        BENCH_APPS=apps,
        BENCH_RECEIVER="nothing",
        BENCH_HOOKS='{"DISPATCH": "in_process", "LANES": 0}',
        PYTHONPYCACHEPREFIX=compiled,
        PYTHONDONTWRITEBYTECODE="",
    )
    command = [sys.executable, "-m", "benchmarks.start_up", "--inside", apps]
    printed = subprocess.check_output(command, cwd=Path(ROOT), env=environment)
    result: dict[str, Any] = json.loads(printed)
    return result


def _inside(apps: str) -> dict[str, Any]:
    """Measure this process."""
    # Python looks through all objects once there are so many, whosever they are: with the app while
    # it starts, without it in the first request. So that is left out of both.
    gc.set_threshold(*gc.get_threshold()[:2], 1_000_000)
    started = time.process_time()
    django.setup()
    setup = time.process_time() - started
    from django.db import connection  # noqa: PLC0415  (after the start that is measured)

    is_connected = connection.connection is not None
    deliveries = list(_delivered(PATHS[apps])) if apps in PATHS else []
    return {"setup": setup, "connected": is_connected, "deliveries": deliveries}


def _delivered(path: str) -> Iterator[float]:
    """Yield the seconds of one delivery after the other, the import of the URLs left out."""
    from importlib import import_module  # noqa: PLC0415

    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    from . import deliveries  # noqa: PLC0415

    application = get_wsgi_application()
    import_module("benchmarks.urls")
    for environ in deliveries.environs(path, 1 + LATER):
        started = time.process_time()
        application(environ, lambda status, *headers: bytes).close()
        yield time.process_time() - started


if __name__ == "__main__":
    if "--inside" in sys.argv:
        print(json.dumps(_inside(sys.argv[-1])))
    else:
        for bar in start_up(5):
            print(f"{bar.what}: {bar.measured} (bar {bar.bar})")
