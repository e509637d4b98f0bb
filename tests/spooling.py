"""What several tests do to spools and to the databases that they wait for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

POISON_URL = "/superoffice/webhook/poison/"
"""An endpoint whose rows some tests let the database refuse."""


@contextmanager
def refusing(table: str) -> Iterator[None]:
    """Let the database refuse rows of the endpoint ``poison``, as it would a value too long."""
    name = f"refuse_{table}"
    if connection.vendor == "sqlite":
        made = (
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN NEW.endpoint = 'poison'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        gone = f"DROP TRIGGER {name}"
    else:
        made = f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (endpoint <> 'poison')"
        gone = f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    with altered(made, gone):
        yield


@contextmanager
def altered(statement: str, back: str) -> Iterator[None]:
    """Change the schema for a block, over a connection of its own."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute(statement)
        yield
    finally:
        with own.cursor() as cursor:
            cursor.execute(back)
        own.close()


@contextmanager
def connecting_with(**settings: object) -> Iterator[None]:
    """Let new connections of this thread have other settings; existing ones are closed."""
    before = connection.settings_dict
    connection.close()
    connection.settings_dict = {**before, **settings}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before


@contextmanager
def read_only() -> Iterator[None]:
    """As a primary that became a standby."""
    options = dict(connection.settings_dict["OPTIONS"])
    match connection.vendor:
        case "postgresql":
            options["options"] = "-c default_transaction_read_only=on"
        case "mysql":
            options["init_command"] = "SET SESSION TRANSACTION READ ONLY"
        case "sqlite":
            options["init_command"] = "PRAGMA query_only = on"
    with connecting_with(OPTIONS=options):
        yield


def put_in_another_process(
    directory: Path, before: str, count: int
) -> subprocess.CompletedProcess[str]:
    """Spool so many deliveries in a process that has run ``before``."""
    program = before + (
        "import django; django.setup()\n"
        "from django.utils import timezone\n"
        "from superoffice_hooks.receiving import spool\n"
        "from superoffice_hooks.wire.notification import Delivery\n"
        "from tests.conftest import body\n"
        f"for number in range({count}):\n"
        "    spool.put(Delivery(endpoint='default', body=body(), headers={}, remote_addr=None,"
        " received_at=timezone.now(), signed=True))\n"
    )
    return run_in_another_process(directory, program)


def run_in_another_process(directory: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings_for_watchers",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "TEST_SPOOL_DIR": str(directory),
        # Python keeps what it could write of a module's bytecode when the kernel cuts it short,
        # and every later process then fails to import that module.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
