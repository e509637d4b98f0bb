"""Fixtures for projects that test with pytest, which loads them by itself.

Each returns the function of its name in ``superoffice_hooks.testing``. pytest loads this module
before Django knows its settings. So the models are imported when a fixture is first used.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

SECRET = "a secret of the tests"  # noqa: S105  (no webhook has it)


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module("superoffice_hooks.testing"), name)
    return function


@pytest.fixture
def superoffice_secret(settings: Any) -> str:
    """Replace the secrets of each endpoint of the project by the secret of the tests."""
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
    return partial(_function("deliver"), client)


@pytest.fixture
def adeliver(async_client: Any, superoffice_secret: str) -> Callable[..., Any]:
    """Deliver an event with the asynchronous client."""
    return partial(_function("adeliver"), async_client)


@pytest.fixture
def dispatch_due() -> Callable[..., Any]:
    """Dispatch events that are due: ``dispatch_due(later=timedelta(hours=1))``."""
    return _function("dispatch_due")


@pytest.fixture
def wait_until_dispatched() -> Callable[..., Any]:
    """Wait for the receivers of a live server."""
    return _function("wait_until_dispatched")


@pytest.fixture
def muted() -> Callable[..., Any]:
    """Call no receiver, in a ``with`` statement."""
    return _function("muted")


@pytest.fixture
def only() -> Callable[..., Any]:
    """Call only some receivers, in a ``with`` statement."""
    return _function("only")


@pytest.fixture
def superoffice_event() -> Callable[..., Any]:
    """Store an event for which no receiver is called: ``superoffice_event(PrimaryKey=76)``."""
    return _function("event")
