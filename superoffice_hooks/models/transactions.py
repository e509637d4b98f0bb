"""Transactions in which each statement sees what others have committed before it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


def reads_committed(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a statement sees what was committed since its transaction began."""
    match connection.vendor:
        case "sqlite":
            return True
        case "postgresql":
            level = getattr(connection, "isolation_level", None)
            return level is None or getattr(level, "name", "") == "READ_COMMITTED"
    return getattr(connection, "isolation_level", "") == "read committed"


@contextmanager
def own_transaction(using: str) -> Iterator[None]:
    """Open a transaction of ours, in which rows are read once they are locked.

    Two calls that conclude the same event wait for each other, and the second has to see what the
    first one has written. Under REPEATABLE READ, PostgreSQL shows it the rows as they were before
    it began to wait. MariaDB does so only if rows were read before the lock, which nobody does.
    """
    connection = connections[using]
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=using):
        is_postgres = connection.vendor == "postgresql"
        if is_outermost and is_postgres and not reads_committed(connection):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield
