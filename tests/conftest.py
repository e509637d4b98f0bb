"""What the tests share: documented bodies, a signed POST, receivers that leave again."""

import json
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.dispatch import Signal
from django.test import Client

from superoffice_hooks import dispatcher, signals
from superoffice_hooks.models import Event, Rejection
from superoffice_hooks.pausing import pause
from superoffice_hooks.signature import sign

from . import many
from .parts import (  # noqa: F401  (pytest finds its hooks here)
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_protocol,
)

PAYLOADS = Path(__file__).parent / "payloads"
SECRET: str = settings.SUPEROFFICE_HOOKS["SECRETS"][0]
URL = "/superoffice/webhook/"


def documented(name: str) -> bytes:
    """A body from SuperOffice's documentation: ``documented("seed-ticket.changed")``."""
    return (PAYLOADS / f"{name}.json").read_bytes()


def body(name: str = "ticket.changed", **values: Any) -> bytes:
    """The seed page's ticket.changed (47 fields) with an EventId of its own and these values."""
    entity = name.rpartition(".")[0]
    sent = json.loads(documented("seed-ticket.changed"))
    return json.dumps(
        {**sent, "EventId": str(uuid.uuid4()), "Event": name, "Entity": entity, **values}
    ).encode()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Log text as xdist can send it: as UTF-8, which has no lone surrogates."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


class Poster:
    """Posts through the real URL, with CSRF checks on, signing like SuperOffice."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)

    def __call__(
        self,
        sent: bytes,
        *,
        secret: str | None = SECRET,
        url: str = URL,
        headers: dict[str, str] | None = None,
    ) -> Any:
        headers = dict(headers or {})
        if secret is not None:
            headers["X-SuperOffice-Signature"] = sign(sent, secret)
        answer = self.client.post(
            url, sent, content_type="application/json; charset=utf-8", headers=headers
        )
        # Outside of a TestCase's transaction, other threads call the receivers.
        assert dispatcher.wait_until_idle(30)
        return answer


@pytest.fixture
def post() -> Poster:
    """``post(body)`` delivers a body, signed unless ``secret=None``."""
    return Poster()


@pytest.fixture
def connect() -> Iterator[Callable[..., Callable[..., Any]]]:
    """``connect(signal, function)`` connects a receiver until the test ends."""
    connections: list[tuple[Signal, Callable[..., Any], dict[str, Any]]] = []

    def _connect(
        signal: Signal, function: Callable[..., Any], **options: Any
    ) -> Callable[..., Any]:
        signal.connect(function, weak=False, **options)
        names = ("sender", "dispatch_uid")
        connections.append((signal, function, {n: options[n] for n in names if n in options}))
        return function

    yield _connect
    for signal, function, options in connections:
        signal.disconnect(function, **options)


@pytest.fixture
def event(post) -> Callable[..., Event]:
    """``event(name, **values)`` is delivered, signed, and stored."""

    def deliver(name: str = "ticket.changed", **values) -> Event:
        assert post(body(name, **values)).status_code == 200
        return Event.objects.latest("pk")

    return deliver


@pytest.fixture
def calls(connect) -> list[int]:
    """The records a receiver was called for in replays, in order."""
    called: list[int] = []

    def note(*, event, replay, **kwargs):
        if replay:
            called.append(event.primary_key)

    connect(signals.any_event, note)
    return called


@pytest.fixture(scope="module")
def many_rows(django_db_setup, django_db_blocker) -> Iterator[None]:
    """200 000 events and what belongs to them, on PostgreSQL."""
    with django_db_blocker.unblock():
        many.fill()
    yield
    with django_db_blocker.unblock():
        many.empty()


@contextmanager
def before_the_fix() -> Iterator[None]:
    """An older version of ours, which stumbles over every body."""

    def stumble(delivery):
        raise KeyError("EventId")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("superoffice_hooks.receiving.Notification.parse", stumble)
        yield


@pytest.fixture
def rejected(post) -> Callable[..., Rejection]:
    """``rejected(body)`` was signed and posted to the version before the fix."""

    def reject(sent: bytes, **options) -> Rejection:
        with before_the_fix():
            assert post(sent, **options).status_code == 200
        return Rejection.objects.latest("pk")

    return reject


@pytest.fixture
def database_away() -> Callable[[], AbstractContextManager[None]]:
    """``with database_away():`` the database really cannot be reached; needs transaction=True."""
    nowhere = (
        {"NAME": "/nowhere/to/be/found.sqlite3"}
        if connection.vendor == "sqlite"
        else {"HOST": "127.0.0.1", "PORT": "1"}
    )

    @contextmanager
    def away() -> Iterator[None]:
        settings_dict = connection.settings_dict
        connection.close()
        connection.settings_dict = {**settings_dict, **nowhere}
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict = settings_dict
            pause.end()

    return away


@pytest.fixture(autouse=True)
def no_pause() -> Iterator[None]:
    """What one test did to the database keeps no other from asking it."""
    yield
    pause.end()
