"""A SuperOffice, and a server of ours that it delivers to. Without the extra they are left out."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from superoffice_hooks import dispatcher

from .. import wanting
from ..conftest import URL

if find_spec("httpx"):
    from superoffice_hooks.testing import FakeSuperOffice
else:
    collect_ignore_glob = ["test_*.py"]
    if not TYPE_CHECKING:
        FakeSuperOffice = Any

EVENTS = ["ticket.created", "ticket.changed"]


@pytest.fixture
def version() -> str:
    return "12.1"


@pytest.fixture
def superoffice(version) -> Iterator[FakeSuperOffice]:
    with FakeSuperOffice(version) as fake:
        yield fake


@pytest.fixture(autouse=True)
def _new_clients(monkeypatch) -> Iterator[None]:
    with wanting.new_clients(monkeypatch):
        yield


@pytest.fixture
def hooks(settings, superoffice, live_server) -> Callable[..., None]:
    """``hooks(WEBHOOKS=…)`` changes SUPEROFFICE_HOOKS, which wants one webhook."""

    def change(**changes: Any) -> None:
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, **changes}

    change(
        **wanting.wanting(superoffice, live_server.url + URL, events=EVENTS),
    )
    return change


def webhook(superoffice: FakeSuperOffice, live_server: Any, **changes: Any) -> dict[str, Any]:
    """A webhook as WEBHOOKS has it."""
    return {**wanting.webhook(superoffice, live_server.url + URL, events=EVENTS), **changes}


class Run:
    """What a command wrote, and its exit code."""

    def __init__(self, command: str, *arguments: str) -> None:
        out, err = StringIO(), StringIO()
        self.code = 0
        try:
            call_command(command, *arguments, stdout=out, stderr=err)
        except CommandError as error:
            self.code = error.returncode
            err.write(str(error))
        self.out, self.err = out.getvalue(), err.getvalue()
        assert dispatcher.wait_until_idle(30)

    @property
    def text(self) -> str:
        return self.out + self.err


def subscribe(*arguments: str) -> Run:
    return Run("superoffice_subscribe", *arguments)


@pytest.fixture
def entry(superoffice, hooks) -> Any:
    """The webhook at SuperOffice, after ``superoffice_subscribe --apply``."""
    assert subscribe("--apply").code == 0
    (entry,) = superoffice.entries()
    return entry
