"""The spool: where verified deliveries wait while the database is away.

An SQLite file in SPOOL_DIR, on this machine's own disk, shared by its processes. In WAL mode with
``synchronous=FULL`` a commit is on the disk before it returns (SQLite documentation, "PRAGMA
synchronous"), so what was spooled may be acknowledged.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from . import conf
from .exceptions import NotStored
from .notification import Delivery

FILE_NAME = "superoffice_hooks.spool.sqlite3"

_WAIT_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL,
    body BLOB NOT NULL,
    headers TEXT NOT NULL,
    remote_addr TEXT,
    received_at TEXT NOT NULL,
    signed INTEGER NOT NULL
)
"""


def put(delivery: Delivery) -> None:
    """Write a verified delivery to the disk.

    Raises:
        NotStored: there is no SPOOL_DIR, or it cannot be written to (disk full, no permission).
    """
    path = _path()
    if path is None:
        raise NotStored("the database is out of reach, and there is no SPOOL_DIR")
    row = (
        delivery.endpoint,
        delivery.body,
        json.dumps(delivery.kept_headers()),
        delivery.remote_addr,
        delivery.received_at.isoformat(),
        delivery.signed,
    )
    try:
        # Deliveries are nobody else's business; SQLite's other files get the same mode.
        path.touch(mode=0o600)
        with closing(_connect(path)) as connection:
            connection.execute(_SCHEMA)
            connection.execute(
                "INSERT INTO delivery (endpoint, body, headers, remote_addr, received_at, signed)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
    except (sqlite3.Error, OSError) as error:
        raise NotStored("neither the database nor the spool can be written to") from error


@contextmanager
def oldest() -> Iterator[Delivery | None]:
    """The delivery that has waited longest, or None; gone from the spool if the block succeeds.

    Other processes wait for their turn meanwhile, so that the order is kept. If this one is killed
    after it has stored the delivery, the next one stores it again: a redelivery, no second event.
    """
    path = _path()
    if path is None or not path.exists():
        yield None
        return
    with closing(_connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        row = connection.execute("SELECT * FROM delivery ORDER BY id LIMIT 1").fetchone()
        if row is None:
            yield None
            return
        yield Delivery(
            endpoint=row["endpoint"],
            body=row["body"],
            headers=json.loads(row["headers"]),
            remote_addr=row["remote_addr"],
            received_at=datetime.fromisoformat(row["received_at"]),
            signed=bool(row["signed"]),
        )
        connection.execute("DELETE FROM delivery WHERE id = ?", [row["id"]])
        connection.execute("COMMIT")


def length() -> int:
    """Return how many deliveries wait."""
    path = _path()
    if path is None or not path.exists():
        return 0
    with closing(_connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM delivery").fetchone()[0])


def _path() -> Path | None:
    directory = conf.current().SPOOL_DIR
    return Path(directory) / FILE_NAME if directory else None


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn WAL mode on, which stays on in the file."""
    give_up_at = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        # While two processes make the file, SQLite gives this up at once, whatever the timeout.
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
