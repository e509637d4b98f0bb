"""Sessions of a database: what other code has left in one, and when to end one.

Code of the project uses our connections: a receiver, or a view in the same thread. If it leaves a
transaction open, all that is written afterwards becomes part of that, and nobody commits it. If it
changes a setting, a time-out for example, it does so for all that come next.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_OPEN = (1, 2, 3)
"""libpq's states of a session in a transaction: active, idle in it, failed in it."""
_DEAD = 4
"""The state of a connection that is of no use any more."""

_STATEMENT = re.compile(
    r"(?:^|;)(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    r"(?:SET(?!\s+(?:LOCAL|TRANSACTION|CONSTRAINTS|STATEMENT)\b)|RESET|DISCARD|USE|PRAGMA|ATTACH"
    r"|LOCK\s+TABLES|CREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?TEMP(?:ORARY)?)\b",
    re.IGNORECASE | re.DOTALL,
)
_FUNCTIONS = ("set_config(", "advisory_lock", "get_lock(")
_OF_A_TRANSACTION = re.compile(r"\bset_config\([^()]*,\s*true\s*\)", re.IGNORECASE)


def is_changed_by(sql: Any) -> bool:
    """Return whether a statement leaves something in the session: a setting, a lock, a table.

    It may do so in other ways, in a function of the database for example.
    """
    # psycopg composes statements of its own kind.
    text = sql if isinstance(sql, str) else sql.as_string() if hasattr(sql, "as_string") else ""
    if _STATEMENT.match(text) or (";" in text and _STATEMENT.search(text)):
        return True
    lower = text.lower()
    if not any(name in lower for name in _FUNCTIONS):
        return False
    rest = _OF_A_TRANSACTION.sub("", lower)
    return any(name in rest for name in _FUNCTIONS)


def is_left_open(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a connection is in a transaction, or begins one with the next statement."""
    if connection.in_atomic_block:
        return True
    if connection.connection is None or not connection.settings_dict["AUTOCOMMIT"]:
        return False
    return not connection.autocommit or is_begun_unseen(connection)


def is_begun_unseen(connection: Any) -> bool:
    """Return whether the driver is in a transaction, and Django believes that it is in none."""
    if connection.connection is None or connection.in_atomic_block or not connection.autocommit:
        return False
    driver: Any = connection.connection
    if connection.vendor == "sqlite":
        try:
            return bool(driver.in_transaction)
        # Somebody has closed it.
        except connection.Database.ProgrammingError:
            return False
    # mysqlclient does not know. There, our next transaction commits what was left open.
    return _state(connection) in _OPEN


def _state(connection: BaseDatabaseWrapper) -> int | None:
    """Return the state of a session as libpq knows it, without a round trip; None for others."""
    return getattr(getattr(connection.connection, "info", None), "transaction_status", None)


def is_over(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a connection is dead or older than ``CONN_MAX_AGE``; asks it after an error.

    Django finds that out between two requests. One that is to be closed after each request stays.
    """
    if connection.connection is None:
        return False
    if connection.errors_occurred:
        connection.errors_occurred = not _is_usable(connection)
    is_closed = connection.vendor == "sqlite" and _is_closed(connection)
    max_age, close_at = connection.settings_dict["CONN_MAX_AGE"], connection.close_at
    is_old = bool(max_age) and close_at is not None and time.monotonic() >= close_at
    return connection.errors_occurred or is_closed or is_old or _state(connection) == _DEAD


@contextmanager
def closed_if_opened(using: str) -> Iterator[None]:
    """Close this thread's connection to a database after the block, if the block opened it."""
    connection = connections[using]
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()


def has_ended(session: Any, connection: BaseDatabaseWrapper, error: BaseException) -> bool:
    """Return whether a session of a connection has ended since; it may have caused the error."""
    if not (isinstance(error, DatabaseError | InterfaceError) or connection.errors_occurred):
        return False
    # Django connects anew as a transaction ends whose rollback failed.
    now = connection.connection
    return now is None or now is not session or not _is_usable(connection)


def _is_usable(connection: BaseDatabaseWrapper) -> bool:
    # Django takes any of SQLite for usable.
    is_closed = connection.vendor == "sqlite" and _is_closed(connection)
    return not is_closed and connection.is_usable()


def _is_closed(connection: Any) -> bool:
    """Return whether somebody has closed the connection of SQLite's driver."""
    try:
        connection.connection.total_changes  # noqa: B018  (it raises)
    except connection.Database.ProgrammingError:
        return True
    return False


def end(connection: BaseDatabaseWrapper) -> None:
    """End the session of a connection. A pool would keep it as it is, and give it to others."""
    driver: Any = connection.connection
    if driver is not None and getattr(connection, "pool", None):
        driver.pgconn.finish()
    close(connection)


def close(connection: BaseDatabaseWrapper) -> None:
    """Close a connection, also if somebody has closed that of the driver; mysqlclient minds."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()


def renew(connection: BaseDatabaseWrapper) -> None:
    """Undo what was left in the session of a connection, and connect again; later if that fails."""
    end(connection)
    # It also forgets Django's blocks that were not left.
    with suppress(DatabaseError, InterfaceError):
        connection.connect()
