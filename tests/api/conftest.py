"""Who asks the API, and what there is to ask for."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

# Without REST framework there is no API to test.
if not find_spec("rest_framework"):
    collect_ignore = [path.name for path in Path(__file__).parent.glob("test_*.py")]

API = "/api/superoffice/"
NOTE = "tests.conftest.calls.<locals>.note"
VIEW = ("view_event", "view_failuregroup", "view_rejection", "view_replay", "view_watch")
EVERYBODY = ("anonymous", "stranger", "viewer", "replayer", "superuser")


class Caller:
    """Somebody who asks, and reads the answer as JSON."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a GET below the API, or at the URL of a link."""
        return self.client.get(path if "//" in path else API + path, query or None)

    def read(self, path: str, **query: Any) -> Any:
        """What a GET finds."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.content
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.content)

    def rows(self, path: str, **query: Any) -> list[Any]:
        """The rows on all pages."""
        page = self.read(path, **query)
        rows: list[Any] = page["results"]
        while page["next"]:
            page = self.read(page["next"])
            rows += page["results"]
        return rows

    def mistakes(self, path: str, **query: Any) -> dict[str, str]:
        """What a GET is told to be wrong with its parameters."""
        answer = self.get(path, **query)
        assert answer.status_code == 400, answer.content
        assert answer.headers["Content-Type"] == "application/problem+json"
        return {error["name"]: error["detail"] for error in json.loads(answer.content)["errors"]}


def logged_in(name: str, *permissions: str, **flags: bool) -> Caller:
    """A new user."""
    user = User.objects.create(username=name, **flags)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return Caller(client)


@pytest.fixture
def anonymous() -> Caller:
    return Caller(Client(enforce_csrf_checks=True))


@pytest.fixture
def stranger(db) -> Caller:
    """Logged in, with no permission of ours."""
    return logged_in("stranger")


@pytest.fixture
def viewer(db) -> Caller:
    return logged_in("vera", *VIEW)


@pytest.fixture
def replayer(db) -> Caller:
    return logged_in("rita", *VIEW, "replay_event")


@pytest.fixture
def superuser(db) -> Caller:
    return logged_in("sue", is_superuser=True)


@pytest.fixture
def caller(request) -> Caller:
    """One of EVERYBODY, by indirect parametrization."""
    found: Caller = request.getfixturevalue(request.param)
    return found


def raises(**kwargs):
    """A receiver that makes the same mistake each time."""
    raise ValueError("no <b>such</b> ticket")
