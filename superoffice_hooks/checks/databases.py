"""The database that deliveries go into: what keeps the sender waiting, and what it cannot hold."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from django.core import checks
from django.db import DatabaseError, connections, router

from ..models import Event, Rejection

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


def charset(databases: Iterable[str] | None) -> Iterator[checks.CheckMessage]:
    """Columns on MySQL or MariaDB that do not hold every character."""
    alias = router.db_for_write(Event)
    if alias not in (databases or ()) or connections[alias].vendor != "mysql":
        return
    try:
        columns = _narrow_columns(connections[alias])
    except DatabaseError:
        # What keeps the database from answering, Django's own checks say.
        return
    if columns:
        yield checks.Warning(
            f"These columns do not hold all characters, emoji for example: {', '.join(columns)}."
            " A delivery with such a character makes no event; it is kept as a rejection.",
            hint="Convert the tables: ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4.",
            id="superoffice_hooks.W031",
        )


def _narrow_columns(connection: Any) -> list[str]:
    tables = [model._meta.db_table for model in (Event, Rejection)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = database() AND table_name IN (%s, %s)"
            " AND character_set_name NOT IN ('utf8mb4', 'utf16', 'utf32')"
            " ORDER BY table_name, ordinal_position",
            tables,
        )
        return [f"{table}.{column}" for table, column in cursor.fetchall()]
