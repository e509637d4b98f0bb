"""Fixtures for projects that test with pytest; pytest finds them by itself.

They have the names of what they return in ``superoffice_hooks.testing``. pytest loads this before
Django knows its settings, so the models are imported when a fixture is first used.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

SECRET = "a secret of the tests"  # noqa: S105  (of no webhook)


def _kit(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module("superoffice_hooks.testing"), name)
    return function


@pytest.fixture
def superoffice_secret(settings: Any) -> str:
    """Let each endpoint of the project have a secret of the tests, in front of its own."""
    hooks = getattr(settings, "SUPEROFFICE_HOOKS", {})
    secrets = hooks.get("SECRETS", ())
    if isinstance(secrets, dict):
        with_ours: Any = {endpoint: [SECRET] for endpoint in secrets}
    else:
        with_ours = [SECRET]
    settings.SUPEROFFICE_HOOKS = {**hooks, "SECRETS": with_ours}
    return SECRET


@pytest.fixture
def deliver(client: Any, superoffice_secret: str) -> Callable[..., Any]:
    """Deliver an event: ``deliver("ticket.changed", changes=["priority"])``."""
    return partial(_kit("deliver"), client)


@pytest.fixture
def adeliver(async_client: Any, superoffice_secret: str) -> Callable[..., Any]:
    """Deliver an event with the asynchronous client."""
    return partial(_kit("adeliver"), async_client)


@pytest.fixture
def dispatch_due() -> Callable[..., Any]:
    """Dispatch what is due: ``dispatch_due(later=timedelta(hours=1))``."""
    return _kit("dispatch_due")


@pytest.fixture
def wait_until_dispatched() -> Callable[..., Any]:
    """Wait for the receivers of a live server."""
    return _kit("wait_until_dispatched")


@pytest.fixture
def muted() -> Callable[..., Any]:
    """Let nobody be called, in a context."""
    return _kit("muted")


@pytest.fixture
def only() -> Callable[..., Any]:
    """Let nobody but some receivers be called, in a context."""
    return _kit("only")


@pytest.fixture
def superoffice_event() -> Callable[..., Any]:
    """Store an event that nobody is called for: ``superoffice_event(PrimaryKey=76)``."""
    return _kit("event")
