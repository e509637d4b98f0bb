"""A SuperOffice, and the settings of a project that wants a webhook there."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import SECRET

# Without the extra, what needs it is left out.
if find_spec("httpx"):
    from superoffice_hooks.subscribing import arriving, clients
    from superoffice_hooks.testing import FakeSuperOffice
    from superoffice_hooks.testing.fake import Reply
    from superoffice_hooks.testing.fake.faults import Fault
elif not TYPE_CHECKING:
    FakeSuperOffice = Fault = Any


@contextmanager
def new_clients(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test find the client of another one, nor wait long for a ping that is lost."""
    # All is on one machine.
    patch.setattr(arriving, "ARRIVAL_SECONDS", 0.5)
    patch.setattr(arriving, "_PAUSE", 0.01)
    yield
    clients.forget()


@contextmanager
def played(patch: pytest.MonkeyPatch) -> Iterator[FakeSuperOffice]:
    """A SuperOffice of the newest version."""
    with new_clients(patch), FakeSuperOffice() as fake:
        yield fake


def webhook(superoffice: FakeSuperOffice, url: str, **changes: Any) -> dict[str, Any]:
    """A webhook as WEBHOOKS has it."""
    wanted = {"name": "Desk", "events": ["ticket.changed"]}
    return {"tenant": superoffice.tenant, "url": url, **wanted, **changes}


def wanting(superoffice: FakeSuperOffice, url: str, **changes: Any) -> dict[str, Any]:
    """What SUPEROFFICE_HOOKS has to have, so that the endpoint ``default`` has a webhook."""
    return {
        "SECRETS": [SECRET],
        "CONNECTIONS": {superoffice.tenant: superoffice.connection()},
        "WEBHOOKS": {"default": webhook(superoffice, url, **changes)},
        "API_RATE": 1000,
    }


def lose_pings(superoffice: FakeSuperOffice) -> Fault:
    """Let SuperOffice raise no ping, though it says so."""
    return superoffice.fail(r"POST .*/Webhook/superoffice_hooks\.ping/", times=99, reply=Reply(204))
