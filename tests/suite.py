"""Run parts of the suite on every database we promise: ``python -m tests.suite [arguments]``.

Without arguments that is the fast part. Each database is handed to the tests in TEST_DATABASE_URL.
The last lines tell what ran where, so that nobody overlooks a database that was left out.
"""

import os
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import NamedTuple

import django
import pytest
from django.conf import settings

from .bounded import TooLong, run_bounded
from .databases import DATABASES, Database, NotAskedFor, in_haste, product_and_version

SPREAD = ["--numprocesses=logical", "--maxprocesses=4", "--dist=worksteal"]
# What fills a table or starts a server for its whole file stays in one process. By themselves,
# files of one test, however long, would come last.
SPREAD_BY_FILE = [*SPREAD[:2], "--dist=loadfile", "--no-loadscope-reorder"]


# Hard tests spend most of their time waiting for processes, outages and leases. One of them takes
# half a core or more, and fails if it must wait too long, so three share the machine.
SPREAD_ONE_BY_ONE = ["--numprocesses=3", "--dist=loadgroup"]

# Hard tests of what no database makes different: servers, clocks, queues and webhooks of others.
SAME_EVERYWHERE = [
    "tests/hard/test_chunked.py",
    "tests/hard/test_clocks.py",
    "tests/hard/test_full_disk.py",
    "tests/hard/test_servers.py",
    "tests/hard/test_subscribing.py",
    "tests/hard/test_task_queues.py",
]


# Tracing lengthens the tests by more than half. They fail below the floor in pyproject.toml.
MEASURED = ["--cov", "--cov-report=term"]


class Session(NamedTuple):
    """One run of pytest on a database."""

    tests: str
    arguments: list[str]


class Outcome(NamedTuple):
    sentence: str
    passed: bool | None
    """None if nobody asked for it, which fails nothing."""


def main() -> int:
    parser = ArgumentParser(allow_abbrev=False, epilog="Everything else is handed to pytest.")
    parser.add_argument("--only", choices=DATABASES, help="run on this database alone")
    parser.add_argument("--slow", action="store_true", help="run the slow tests, on one database")
    parser.add_argument("--hard", action="store_true", help="run the hard tests")
    parser.add_argument("--measured", action="store_true", help="measure coverage on SQLite")
    parser.add_argument("--minutes", type=float, help="fail after so many minutes")
    options, arguments = parser.parse_known_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # takes the servers down on its way
    settings.configure()
    django.setup()
    deadline = time.monotonic() + options.minutes * 60 if options.minutes else None
    names = [options.only] if options.only else list(DATABASES)
    outcomes = [
        outcome
        for name in names
        for outcome in run_on(
            DATABASES[name], list(sessions(name, names, options, arguments)), deadline
        )
    ]
    print("", *(outcome.sentence for outcome in outcomes), sep="\n")
    results = {outcome.passed for outcome in outcomes}
    return 0 if True in results and False not in results else 1


def sessions(
    name: str, names: list[str], options: Namespace, arguments: list[str]
) -> Iterator[Session]:
    """What is run on the database of this name, if these are the names of all."""
    if not (options.slow or options.hard):
        # What uses no database is tried beside the first one.
        left_out = [] if name == names[0] else ["--only-with-database"]
        measured = MEASURED if options.measured and name == "sqlite" else []
        yield Session("", [*SPREAD, *left_out, *measured, *arguments])
    if options.slow and name == ("postgres" if "postgres" in names else names[0]):
        yield Session(", slow tests", ["-m", "slow", "-rs", *SPREAD_BY_FILE, *arguments])
    if options.hard:
        # With their names, tests that never end are the last ones that were printed.
        shown = name == ("postgres" if "postgres" in names else names[0])
        left_out = [] if shown else [f"--ignore={module}" for module in SAME_EVERYWHERE]
        spread = ["-m", "hard and not alone", *SPREAD_ONE_BY_ONE]
        yield Session(", hard tests", [*spread, "-rs", "-v", *left_out, *arguments])
        if shown:
            alone = ["-m", "hard and alone", "-rs", "-v"]
            yield Session(", hard tests that want the machine", [*alone, *arguments])


def run_on(database: Database, planned: list[Session], deadline: float | None) -> Iterator[Outcome]:
    if not planned:
        return
    try:
        with database.serve() as server, in_haste(server.url) as url:
            place = f"{product_and_version(server.url)} ({server.origin})"
            for session in planned:
                print(f"\n{place}{session.tests}", flush=True)
                yield outcome_of(session, f"{place}{session.tests}", url, deadline)
    except NotAskedFor as reason:
        yield Outcome(f"{database.name}: not run, because {reason}.", passed=None)
    except Exception as error:  # whatever keeps a database from us fails the run, with its reason
        reason_in_one_line = " ".join(f"{type(error).__name__}: {error}".split())
        yield Outcome(f"{database.name}: not run, because of {reason_in_one_line}", passed=False)


def outcome_of(session: Session, place: str, url: str, deadline: float | None) -> Outcome:
    """Run it, and say how it ended."""
    seconds = None if deadline is None else max(0, deadline - time.monotonic())
    try:
        status = run_pytest(session, url, seconds)
    except TooLong:
        why = "the minutes of this part were up; what was printed last says where it was"
        return Outcome(f"{place}: failed, {why}.", passed=False)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        return Outcome(f"{place}: nothing to run.", passed=None)
    if status:
        return Outcome(f"{place}: failed, pytest exited with status {status}.", passed=False)
    return Outcome(f"{place}: passed.", passed=True)


def run_pytest(session: Session, url: str, seconds: float | None) -> int:
    environment = {
        **os.environ,
        "TEST_DATABASE_URL": url,
        "TEST_DATABASE_SUFFIX": str(os.getpid()),  # two checkouts may share a server
    }
    # Each process rewrites the assertions of all tests, unless another has left its bytecode.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", *session.arguments]
    return run_bounded(command, environment, seconds)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
