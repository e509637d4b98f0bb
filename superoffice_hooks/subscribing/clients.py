"""Clients of SuperOffice's API, one for each tenant and process, so that they share a sign-in."""

import os
import threading
from typing import Any

from .. import conf
from ..superoffice_api.client import Client
from ..superoffice_api.redacting import Secret
from . import configured
from .configured import NotConfigured

_clients: dict[str, tuple[Any, Client]] = {}
_lock = threading.Lock()


def client_of(tenant: str) -> Client:
    """Return the client of a tenant.

    Raises:
        NotConfigured: CONNECTIONS does not say how to reach it.
    """
    connection = configured.connection_of(tenant)
    rate = conf.current().API_RATE
    hidden = _hidden(tenant)
    # The process is part of it: after a fork, the sockets belong to the parent.
    made_for = (os.getpid(), connection, rate, hidden)
    with _lock:
        known = _clients.get(tenant)
        if known is None or known[0] != made_for:
            if known is not None:
                known[1].close()
            known = made_for, Client(connection, rate=rate, secrets=hidden)
            _clients[tenant] = known
        return known[1]


def _hidden(tenant: str) -> tuple[Secret, ...]:
    """Return what must not show, if SuperOffice quotes it: secrets and headers of webhooks."""
    hidden: list[Secret] = []
    for endpoint in configured.endpoints():
        try:
            wanted = configured.wanted_of(endpoint)
            if wanted.tenant == tenant:
                hidden += map(Secret, wanted.headers.values())
                hidden += configured.secrets_of(endpoint)
        except NotConfigured:
            continue
    return tuple(hidden)


def forget() -> None:
    """Drop all clients, so that the next call signs in again; for tests and changed credentials."""
    with _lock:
        for _made_for, client in _clients.values():
            client.close()
        _clients.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clients.clear)
