"""Sessions of a database: whether one was left in a transaction, and whether to close one.

Code of the project uses our connections: a receiver, or a view in the same thread. If it leaves a
transaction open, all that is written afterwards becomes part of that, and nobody commits it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_OPEN = (1, 2, 3)
"""libpq's states of a session in a transaction: active, idle in it, failed in it."""


def is_left_open(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a connection is in a transaction, or begins one with the next statement."""
    if connection.in_atomic_block:
        return True
    if connection.connection is None or not connection.settings_dict["AUTOCOMMIT"]:
        return False
    return not connection.autocommit or is_begun_unseen(connection)


def is_begun_unseen(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the driver is in a transaction, and Django believes that it is in none."""
    if connection.in_atomic_block or not connection.autocommit:
        return False
    driver: Any = connection.connection
    if hasattr(driver, "in_transaction"):
        return bool(driver.in_transaction)
    # mysqlclient does not know. There, our next transaction commits what was left open.
    return getattr(getattr(driver, "info", None), "transaction_status", None) in _OPEN


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


def renew(connection: BaseDatabaseWrapper) -> None:
    """Undo what was left open on a connection, and connect again; later if that fails now."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()
    # It also forgets Django's blocks that were not left.
    with suppress(DatabaseError, InterfaceError):
        connection.connect()
