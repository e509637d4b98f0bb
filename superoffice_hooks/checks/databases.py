"""Checks of the databases of our tables: time-outs, commits, and character sets."""

import os
from collections.abc import Iterator, Sequence

from django.apps import apps
from django.core import checks
from django.db import connections, router

from ..models import Event

_NARROW = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND character_set_name <> 'utf8mb4'
    ORDER BY table_name, ordinal_position
"""
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ADVICE = {
    # postgresql, postgis
    "postg": ('"connect_timeout": 2, "tcp_user_timeout": 5000', "PGCONNECT_TIMEOUT"),
    "mysql": ('"connect_timeout": 2, "read_timeout": 10, "write_timeout": 10', ""),
}


def silent_host() -> Iterator[checks.CheckMessage]:
    """Report a missing time-out for a database on another machine, which may stop answering."""
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
        hint=f"Write {{{advice}}}, or other values that suit your network.",
        id="superoffice_hooks.W030",
    )


def no_commit() -> Iterator[checks.CheckMessage]:
    """Report a database in which Django commits nothing by itself."""
    alias = router.db_for_write(Event)
    if not connections.databases[alias].get("AUTOCOMMIT", True):
        yield checks.Error(
            f"DATABASES[{alias!r}]['AUTOCOMMIT'] is False. Nobody commits what is stored: a"
            " delivery that was answered 200 is lost.",
            hint="Leave it out, or keep the tables of this app in another database.",
            id="superoffice_hooks.E022",
        )


def narrow_columns(aliases: Sequence[str]) -> Iterator[checks.CheckMessage]:
    """Report columns of MySQL and MariaDB whose character set is not utf8mb4."""
    for alias in aliases:
        if connections[alias].vendor == "mysql" and router.allow_migrate_model(alias, Event):
            yield from _narrow(alias)


def _narrow(alias: str) -> Iterator[checks.CheckMessage]:
    ours = {
        model._meta.db_table for model in apps.get_app_config(Event._meta.app_label).get_models()
    }
    with connections[alias].cursor() as cursor:
        cursor.execute(_NARROW)
        narrow = [f"{table}.{column}" for table, column in cursor.fetchall() if table in ours]
    if narrow:
        yield checks.Warning(
            f"In the database {alias!r}, {', '.join(narrow)} cannot hold every character, as their"
            " character set is not utf8mb4. A delivery with an emoji in the name of its webhook"
            " then makes no event.",
            hint="ALTER TABLE … CONVERT TO changes the collations of all columns, so change these"
            " alone: ALTER TABLE … MODIFY …, with CHARACTER SET utf8mb4. Give the database"
            " CHARACTER SET utf8mb4 before you migrate, and new tables have it.",
            id="superoffice_hooks.W008",
        )
