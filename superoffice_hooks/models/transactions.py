"""Transactions in which each statement sees what others have committed before it."""

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
"""Seconds before a transaction is repeated that the database undid for the sake of another one."""


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
    """Open a transaction of ours, which is under READ COMMITTED at any level of the connection.

    Two calls that conclude the same event wait for each other, and the second has to see what the
    first one has written. Under REPEATABLE READ, PostgreSQL shows it the rows as they were before
    it began to wait. MariaDB and MySQL lock each row that a statement looks at, and the gaps
    between them, until the transaction ends: claims, calls and deliveries would deadlock.
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
    """Return what ``work`` returns, done in a transaction of ours.

    It is done again if the transaction was the victim of a deadlock. So it may not rely on what it
    has noted outside the database.
    """
    for wait in _WAITS:
        try:
            with own_transaction(using):
                return work()
        except DatabaseError as error:
            if connections[using].in_atomic_block or not is_victim(error):
                raise
            # No secret: it keeps the two from meeting again.
            time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311
    with own_transaction(using):
        return work()


@cache
def _may_set_level(using: str) -> bool:
    """Return whether a transaction under READ COMMITTED may write.

    MariaDB and MySQL refuse that while their binary log is one of statements.
    """
    connection = connections[using]
    if connection.vendor != "mysql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@log_bin, @@binlog_format")
        is_logged, form = cursor.fetchone()
    return not (is_logged and form == "STATEMENT")
