"""What the tests share: documented bodies, a signed POST, receivers that leave again."""

import json
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.dispatch import Signal
from django.test import Client, TransactionTestCase
from django.urls import clear_script_prefix

from superoffice_hooks import dispatcher, signals
from superoffice_hooks.models import Dispatcher, Event, Rejection
from superoffice_hooks.receiving.pausing import pause
from superoffice_hooks.wire.signature import sign

from . import many
from .emptying import empty_all
from .parts import (  # noqa: F401  (pytest finds its hooks here)
    pytest_addoption,
    pytest_collection,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_protocol,
    pytest_terminal_summary,
)

# Of tests that commit; pytest-django makes their class from this one.
pytest.MonkeyPatch().setattr(TransactionTestCase, "_fixture_teardown", empty_all)

PAYLOADS = Path(__file__).parent / "payloads"
SECRET: str = settings.SUPEROFFICE_HOOKS["SECRETS"][0]
URL = "/superoffice/webhook/"


def documented(name: str) -> bytes:
    """A body from SuperOffice's documentation: ``documented("seed-ticket.changed")``."""
    return (PAYLOADS / f"{name}.json").read_bytes()


SEED: dict[str, Any] = json.loads(documented("seed-ticket.changed"))
FEW_CHANGES = ["priority", "status", "title"]


def body(name: str = "ticket.changed", **values: Any) -> bytes:
    """The seed page's ticket.changed with an EventId of its own and these values.

    Of its 47 changed fields it keeps three: each test writes them anew, and few look at them.
    """
    own = {"EventId": str(uuid.uuid4()), "Event": name, "Entity": name.rpartition(".")[0]}
    return json.dumps({**SEED, "Changes": FEW_CHANGES, **own, **values}).encode()


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

    def __init__(self, client: Callable[..., Client] = Client) -> None:
        self.client = client(enforce_csrf_checks=True)

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
        assert dispatcher.wait_until_idle(30), what_threads_do()
        return answer


def what_threads_do() -> str:
    """Where each thread of this process is, for the message of a test that waited in vain."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(thread)}:\n{''.join(traceback.format_stack(frame)[-6:])}"
        for thread, frame in sys._current_frames().items()
    )


@pytest.fixture
def post() -> Poster:
    """``post(body)`` delivers a body, signed unless ``secret=None``."""
    return Poster()


@pytest.fixture
def connect() -> Iterator[Callable[..., Callable[..., Any]]]:
    """``connect(signal, function)`` connects a receiver until the test ends."""
    with connecting() as connect:
        yield connect


@contextmanager
def connecting() -> Iterator[Callable[..., Callable[..., Any]]]:
    """Hand out what ``connect`` is, for a block."""
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


@pytest.fixture(scope="class")
def rows_of_the_class(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Keep what fixtures of this scope store for all tests of a class.

    Each test works on it in a savepoint that is rolled back, so none may be transactional. It saves
    the time of tests that look at the same rows with many parameters.
    """
    # As the blocks of Django's TestCase, inside of which events are dispatched at once.
    block = transaction.atomic()
    vars(block)["_from_testcase"] = True
    with django_db_blocker.unblock():
        block.__enter__()
        try:
            yield
        finally:
            transaction.set_rollback(True)
            block.__exit__(None, None, None)


@pytest.fixture
def one_attempt(settings) -> None:
    """An event that fails has failed for good; as shipped, it would wait for another attempt."""
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 1}


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
        patch.setattr("superoffice_hooks.receiving.deliveries.Notification.parse", stumble)
        yield


@pytest.fixture
def rejected(post) -> Callable[..., Rejection]:
    """``rejected(body)`` was signed and posted to the version before the fix."""

    def reject(sent: bytes, **options) -> Rejection:
        with before_the_fix():
            assert post(sent, **options).status_code == 200
        return Rejection.objects.latest("pk")

    return reject


@pytest.fixture(name="dispatcher")
def living_dispatcher(db) -> Dispatcher:
    """A dispatcher that was seen just now."""
    seen = Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 4)
    seen.note_seen()
    return seen


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


@pytest.fixture
def away_in_replay(
    connect, database_away, monkeypatch
) -> Callable[[int], AbstractContextManager[None]]:
    """``with away_in_replay(3):`` a replay's call for the record 3 takes the database away."""
    monkeypatch.setattr("superoffice_hooks.dispatching.recording._WAITS", (0,))

    @contextmanager
    def away(number: int) -> Iterator[None]:
        with ExitStack() as unplugged:

            def pulls_the_plug(event, replay, **kwargs):
                if replay and event.primary_key == number:
                    connection.close()
                    unplugged.enter_context(database_away())

            connect(signals.any_event, pulls_the_plug)
            yield
        signals.any_event.disconnect(pulls_the_plug)

    return away


@pytest.fixture(autouse=True)
def no_pause() -> Iterator[None]:
    """What one test did to the database keeps no other from asking it."""
    yield
    pause.end()


@pytest.fixture(autouse=True)
def no_script_prefix() -> Iterator[None]:
    """The prefix of a server in one test is in no URL of another; Django keeps it in the thread."""
    yield
    clear_script_prefix()
