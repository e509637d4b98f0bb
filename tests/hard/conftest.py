"""A database of its own for each hard test, and the sender."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from ..databases import connected
from .processes import Project

URL = os.environ.get("TEST_DATABASE_URL", "sqlite:///test.sqlite3")
IS_SQLITE = URL.startswith("sqlite")


@pytest.fixture
def database_url(tmp_path, django_db_blocker) -> Iterator[str]:
    """A new database on the server the suite runs on."""
    if IS_SQLITE:
        yield f"sqlite:///{tmp_path}/hard.sqlite3"
        return
    name = f"hard_{uuid.uuid4().hex[:12]}"
    force = " WITH (FORCE)" if URL.startswith("postgresql") else ""
    execute(django_db_blocker, f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(URL)._replace(path=f"/{name}"))
    finally:
        execute(django_db_blocker, f"DROP DATABASE {name}{force}")


def execute(blocker, statement: str) -> None:
    """Run a statement on the server the suite runs on, beside the test database."""
    with blocker.unblock(), connected(URL) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def project_on() -> Iterator[Callable[..., Project]]:
    """``project_on(url, **hooks)``: everything it started has ended when the test has."""
    projects: list[Project] = []

    def start(url: str, environment: Mapping[str, str] | None = None, **hooks: Any) -> Project:
        projects.append(Project(url, environment, **hooks))
        return projects[-1]

    yield start
    for project in projects:
        project.end()
