"""Transactions under READ COMMITTED: each statement sees what others have committed before it."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from .errors import is_victim

_T = TypeVar("_T")

_WAITS = (0.01, 0.05, 0.2, 0.5)
"""Seconds before a transaction is repeated that the database undid because of a conflict."""


def reads_committed(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a statement sees what was committed since its transaction began.

    Only then may an event's outcome be written in the transaction of a receiver: otherwise a claim
    that was renewed meanwhile would undo the receiver's work (PostgreSQL: 40001).
    """
    match connection.vendor:
        case "sqlite":
            return True
        case "postgresql":
            level = getattr(connection, "isolation_level", None)
            return level is None or getattr(level, "name", "") == "READ_COMMITTED"
    return getattr(connection, "isolation_level", "") == "read committed"


@contextmanager
def own_transaction(using: str) -> Iterator[None]:
    """Open a transaction under READ COMMITTED, even if the connection has another level.

    Two calls that conclude the same event wait for each other, and the second has to see what the
    first one has written. Under REPEATABLE READ, PostgreSQL would show it the rows as they were
    before it began to wait. MariaDB and MySQL would lock each row that a statement looks at, and
    the gaps between rows, until the transaction ends. Claims, calls and deliveries would deadlock.
    """
    connection = connections[using]
    is_ours = not connection.in_atomic_block
    sets_level = is_ours and not reads_committed(connection) and _may_set_level(using)
    with transaction.atomic(using=using):
        if sets_level:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield


def in_own_transaction(using: str, work: Callable[[], _T]) -> _T:
    """Call ``work`` in a transaction of our own; return what it returns.

    It is called again if the database undid the transaction because of a deadlock. So it must not
    rely on anything that it has changed outside the database.
    """
    for wait in _WAITS:
        try:
            with own_transaction(using):
                return work()
        except DatabaseError as error:
            if connections[using].in_atomic_block or not is_victim(error):
                raise
            # At random, so that the two transactions do not meet again.
            time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311
    with own_transaction(using):
        return work()


@cache
def _may_set_level(using: str) -> bool:
    """Return whether a transaction under READ COMMITTED may write.

    MariaDB and MySQL refuse it if their binary log has statements instead of rows.
    """
    connection = connections[using]
    if connection.vendor != "mysql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@log_bin, @@binlog_format")
        is_logged, form = cursor.fetchone()
    return not (is_logged and form == "STATEMENT")
