"""The spool of older versions, an SQLite file in SPOOL_DIR: what is in it moves to the new one.

Processes of the older version may still write to it, so the file itself stays, empty.
"""

import json
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from ...wire.logs import get_logger
from ...wire.notification import Delivery
from ...wire.values import storable_text
from . import files

logger = get_logger(__name__)

FILE_NAME = "superoffice_hooks.spool.sqlite3"

_NO_DATABASE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def move(place: Path) -> None:
    """Move what an SQLite file beside this folder has, oldest first; never raises for its state."""
    path = place.parent / FILE_NAME
    try:
        if path.exists():
            _move_all(path, place)
    except KeyError as error:
        _rename(path, f"it has no column {error}")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 255 in _NO_DATABASE:
            _rename(path, str(error))
        # Made by a process that has not come further.
        elif "no such table" not in str(error):
            logger.warning("%s cannot be emptied now: %s", path, error)
    except OSError as error:
        logger.warning("%s cannot be emptied now: %s", path, error)


def _move_all(path: Path, place: Path) -> None:
    with closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        # A damaged file has any bytes, which must not block the rows behind.
        connection.text_factory = lambda text: text.decode(errors="surrogateescape")
        while True:
            # The lock keeps other processes from moving the same row; only this disk is waited for.
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute("SELECT * FROM delivery ORDER BY id LIMIT 1").fetchone()
            if row is None:
                return
            connection.execute("DELETE FROM delivery WHERE id = ?", [row["id"]])
            files.write(place, _delivery(dict(row)))
            connection.execute("COMMIT")


def _delivery(row: dict[str, Any]) -> Delivery:
    """Return the delivery of a row, without its headers or time if they are unreadable.

    Raises:
        KeyError: the table has no such column.
    """
    try:
        headers = json.loads(row["headers"])
        headers = {str(name): str(value) for name, value in headers.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        headers = {}
    try:
        received_at = datetime.fromisoformat(row["received_at"])
    except (ValueError, TypeError, KeyError):
        received_at = timezone.now()
    body, address = row["body"], row.get("remote_addr")
    return Delivery(
        endpoint=storable_text(str(row["endpoint"])),
        body=body if isinstance(body, bytes) else str(body).encode(errors="surrogateescape"),
        headers=headers,
        remote_addr=address if isinstance(address, str) else None,
        received_at=received_at,
        signed=bool(row.get("signed")),
    )


def _rename(path: Path, problem: str) -> None:
    kept = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        path.rename(kept)
    except OSError:
        logger.exception("%s is no spool (%s), and cannot be renamed", path, problem)
    else:
        logger.error("%s is no spool (%s). It is kept as %s.", path, problem, kept)
