"""The databases that are measured: brought up, and dropped again."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from tests.databases import DATABASES, connected, product_and_version

from .processes import manage

SETTINGS = {
    "postgresql": ("fsync", "synchronous_commit", "shared_buffers"),
    "mysql": ("innodb_flush_log_at_trx_commit", "sync_binlog", "innodb_buffer_pool_size"),
}
"""What is said of a server: its durability and its memory."""


class Place(NamedTuple):
    name: str
    url: str
    described: str

    @property
    def vendor(self) -> str:
        return urlsplit(self.url).scheme

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
def bench_database(url: str, **environment: str) -> Iterator[str]:
    """A new database there, migrated."""
    name = f"bench_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    if url.startswith("sqlite"):
        # Its file goes with the directory it is in.
        yield from _migrated(f"{url}-{name}", environment)
        return
    _execute(url, f"CREATE DATABASE {name}")
    try:
        yield from _migrated(urlunsplit(urlsplit(url)._replace(path=f"/{name}")), environment)
    finally:
        force = " WITH (FORCE)" if url.startswith("postgresql") else ""
        _execute(url, f"DROP DATABASE {name}{force}")


def _migrated(url: str, environment: dict[str, str]) -> Iterator[str]:
    manage(url, "migrate", "--run-syncdb", "--verbosity=0", **environment)
    yield url


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _durability(url: str) -> str:
    """What the database waits for before it answers a COMMIT."""
    with connected(url) as connection, connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            return ", WAL, synchronous=NORMAL"
        said = []
        for setting in SETTINGS[connection.vendor]:
            cursor.execute(("SELECT @@" if connection.vendor == "mysql" else "SHOW ") + setting)
            said.append(f"{setting}={cursor.fetchone()[0]}")
        return ", " + ", ".join(said)
