"""Time limits for the statements that store a delivery, so that the sender waits for no lock.

They are sent with each statement, in the same round trip, and end with it. So a pooled connection
keeps its settings. There are no limits

- inside a transaction, because they would be limits for its other statements, too,
- on PostgreSQL with server-side binding, which takes one command at a time,
- on MySQL, which has no such statement, and on SQLite, which has its ``timeout``.

There, the limits are those of the project: ``lock_timeout``, ``innodb_lock_wait_timeout`` and so
on.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .fields import is_mariadb

LOCK_SECONDS = 0.5
STATEMENT_SECONDS = 3

_POSTGRESQL = (
    f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000:.0f};"
    f" SET LOCAL statement_timeout = {STATEMENT_SECONDS * 1000}; "
)
_SETTINGS_BEFORE = 2
# MariaDB waits for locks in whole seconds, and not at all with 0.
_MARIADB = (
    f"SET STATEMENT max_statement_time = {STATEMENT_SECONDS}, lock_wait_timeout = 1,"
    " innodb_lock_wait_timeout = 1 FOR "
)
_LIMITED = ("INSERT ", "SELECT ", "UPDATE ", "DELETE ")


def limited(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Limit how long each statement in the block takes, where that is possible.

    It may query the version of the database, once for each connection object.
    """
    if connection.in_atomic_block:
        return nullcontext()
    match connection.vendor:
        case "postgresql" if not connection.settings_dict["OPTIONS"].get("server_side_binding"):
            return connection.execute_wrapper(_for_postgresql)
        case "mysql" if is_mariadb(connection):
            return connection.execute_wrapper(_for_mariadb)
    return nullcontext()


def _for_postgresql(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    driver: Any = context["cursor"].cursor
    # A named cursor declares one SELECT.
    if many or not sql.startswith(_LIMITED) or getattr(driver, "name", None):
        return execute(sql, params, many, context)
    result = execute(_POSTGRESQL + sql, params, many, context)
    # psycopg 3 keeps the result of each command, psycopg 2 only the last one.
    if hasattr(driver, "pgresult"):
        for _ in range(_SETTINGS_BEFORE):
            driver.nextset()
    return result


def _for_mariadb(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    if many or not sql.startswith(_LIMITED):
        return execute(sql, params, many, context)
    return execute(_MARIADB + sql, params, many, context)
