"""The databases that are measured: brought up, and dropped again."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from tests.databases import DATABASES, connected, product_and_version

from .processes import manage


class Place(NamedTuple):
    name: str
    url: str
    described: str

    @property
    def is_server(self) -> bool:
        return not self.url.startswith("sqlite")


@contextmanager
def place(key: str) -> Iterator[Place]:
    """SQLite in a temporary file, or PostgreSQL: TEST_POSTGRES_URL's, or one brought along."""
    with DATABASES[key].serve() as server:
        name = product_and_version(server.url)
        yield Place(name, server.url, f"{name} ({server.origin}{_durability(server.url)})")


@contextmanager
def bench_database(url: str) -> Iterator[str]:
    """A new database there, migrated."""
    name = f"bench_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    if url.startswith("sqlite"):
        # Its file goes with the directory it is in.
        yield from _migrated(f"{url}-{name}")
        return
    _execute(url, f"CREATE DATABASE {name}")
    try:
        yield from _migrated(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))
    finally:
        _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _migrated(url: str) -> Iterator[str]:
    manage(url, "migrate", "--run-syncdb", "--verbosity=0")
    yield url


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _durability(url: str) -> str:
    """What PostgreSQL waits for before it answers a COMMIT."""
    with connected(url) as connection, connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            return ", WAL, synchronous=NORMAL"
        said = []
        for setting in ("fsync", "synchronous_commit", "shared_buffers"):
            cursor.execute(f"SHOW {setting}")
            said.append(f"{setting}={cursor.fetchone()[0]}")
        return ", " + ", ".join(said)
