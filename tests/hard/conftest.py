"""A database of its own for each hard test, the project on it, and the rig around it."""

import os
import random
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from ..databases import connected
from ..parts import SAID
from .own_postgres import OwnPostgres, own_postgres
from .processes import Project
from .rig import LEASE, Rig

URL = os.environ.get("TEST_DATABASE_URL", "sqlite:///test.sqlite3")
IS_SQLITE = URL.startswith("sqlite")
IS_POSTGRES = URL.startswith("postgresql")

once = pytest.mark.skipif(
    not IS_POSTGRES, reason="No database makes a difference to it, so PostgreSQL serves."
)


@pytest.fixture(scope="session")
def template(django_db_blocker, tmp_path_factory) -> Iterator[str]:
    """A migrated database to copy: migrating takes longer than some tests."""
    with django_db_blocker.unblock(), database_at(tmp_path_factory.mktemp("template")) as url:
        # With the tables of the queue in the database, which only some tests want.
        Project(url, {"HARD_QUEUE": "database"}).migrate()
        yield url


@pytest.fixture
def database_url(tmp_path, template, django_db_blocker) -> Iterator[str]:
    """A new database on the server the suite runs on."""
    with django_db_blocker.unblock(), database_at(tmp_path, template) as url:
        yield url


@contextmanager
def database_at(directory: Path, template: str = "") -> Iterator[str]:
    """A new database on the server, or in the directory."""
    if not IS_SQLITE:
        with new_database(template) as url:
            yield url
        return
    file = directory / "hard.sqlite3"
    if template:
        shutil.copyfile(name_of(template), file)
    yield f"sqlite:///{file}?synchronous=OFF"


@contextmanager
def new_database(template: str = "") -> Iterator[str]:
    name = f"hard_{uuid.uuid4().hex[:12]}"
    copied = f" TEMPLATE {name_of(template)}" if template and IS_POSTGRES else ""
    force = " WITH (FORCE)" if IS_POSTGRES else ""
    execute(f"CREATE DATABASE {name}{copied}")
    try:
        if template and not IS_POSTGRES:
            copy_tables(name_of(template), name)
        yield urlunsplit(urlsplit(URL)._replace(path=f"/{name}"))
    finally:
        execute(f"DROP DATABASE {name}{force}")


def copy_tables(old: str, new: str) -> None:
    """Copy the tables of a database of MariaDB, which has no templates."""
    with connected(URL) as connection, connection.cursor() as cursor:
        cursor.execute(f"USE {new}")
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(f"SHOW TABLES FROM {old}")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE {old}.{table}")
            cursor.execute(cursor.fetchone()[1])
            cursor.execute(f"INSERT INTO {table} SELECT * FROM {old}.{table}")  # noqa: S608


def name_of(url: str) -> str:
    """The name of the database at a URL."""
    return urlsplit(url).path.removeprefix("/")


def execute(statement: str) -> None:
    """Run a statement on the server the suite runs on, beside the test database."""
    with connected(URL) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def is_migrated(url: str) -> bool:
    with connected(url) as connection:
        return "superoffice_hooks_event" in connection.introspection.table_names()


@pytest.fixture
def project_on(django_db_blocker) -> Iterator[Callable[..., Project]]:
    """``project_on(url, **hooks)``: everything it started has ended when the test has."""
    projects: list[Project] = []

    def start(url: str, environment: Mapping[str, str] | None = None, **hooks: Any) -> Project:
        projects.append(Project(url, environment, **hooks))
        if not is_migrated(url):
            projects[-1].migrate()
        return projects[-1]

    with django_db_blocker.unblock():
        try:
            yield start
        finally:
            for project in projects:
                project.end()


@pytest.fixture
def chance() -> random.Random:
    """Chance with a seed that is printed, so that a failure says which one it was."""
    seed = int(os.environ.get("HARD_SEED") or random.randrange(10**6))
    print(f"\nseed {seed}")  # noqa: T201
    return random.Random(seed)


@pytest.fixture
def say(record_property) -> Callable[[str], None]:
    """``say(line)``: it is printed with the figures of all tests, when they have ended."""
    return partial(record_property, SAID)


@pytest.fixture
def rig_on(project_on, chance, say) -> Iterator[Callable[..., Rig]]:
    """``rig_on(url, **hooks)``: its senders end with the test."""
    rigs: list[Rig] = []

    def start(url: str, environment: Mapping[str, str] | None = None, **hooks: Any) -> Rig:
        project = project_on(url, environment, **{"LEASE_SECONDS": LEASE, **hooks})
        rigs.append(Rig(project, chance, say))
        return rigs[-1]

    try:
        yield start
    finally:
        for rig in rigs:
            rig.thaw()
            rig.load.stop()


@pytest.fixture
def server(monkeypatch, django_db_blocker) -> Iterator[OwnPostgres]:
    """A PostgreSQL server that the test may stop."""
    if not IS_POSTGRES:
        pytest.skip("PostgreSQL's troubles are tried once, where the suite runs on PostgreSQL.")
    with django_db_blocker.unblock(), own_postgres(monkeypatch) as started:
        yield started
