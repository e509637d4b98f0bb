"""The database that deliveries go into: what keeps the sender waiting."""

import os
from collections.abc import Iterator

from django.core import checks
from django.db import connections, router

from ..models import Event

_LOCAL = ("localhost", "127.0.0.1", "::1")
_ADVICE = {
    # postgresql, postgis
    "postg": ('"connect_timeout": 2, "tcp_user_timeout": 5000', "PGCONNECT_TIMEOUT"),
    "mysql": ('"connect_timeout": 2, "read_timeout": 10, "write_timeout": 10', ""),
}


def silent_host() -> Iterator[checks.CheckMessage]:
    """No time-out for a server on another machine, which may not answer at all."""
    alias = router.db_for_write(Event)
    database = connections.databases[alias]
    vendor = next((vendor for vendor in _ADVICE if vendor in database["ENGINE"]), None)
    host, options = str(database["HOST"]), database["OPTIONS"]
    if vendor is None or not host or host.startswith("/") or host in _LOCAL:
        return
    advice, variable = _ADVICE[vendor]
    # A service file may have it, and so may the environment.
    if "connect_timeout" in options or "service" in options or os.environ.get(variable):
        return
    yield checks.Warning(
        f"DATABASES[{alias!r}]['OPTIONS'] has no connect_timeout. While its host does not answer,"
        " a delivery waits for minutes, and SuperOffice with it.",
        hint=f"Write {{{advice}}}, or whatever your network needs.",
        id="superoffice_hooks.W030",
    )
