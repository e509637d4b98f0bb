"""The clock of the database. It alone decides what is due, and how long a claim lasts.

The clocks of several machines differ, sometimes by minutes, and they share one database. Its clock
is read when a statement begins. PostgreSQL's ``now()`` would be the start of the transaction, and
Django's ``Now()`` on MariaDB is in the time zone of the session.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func
from django.utils import timezone

_TIME = models.DateTimeField()


class InSeconds(Func):
    """The time by the database's clock, so many seconds from now."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(output_field=_TIME)
        self.seconds = seconds
        self.delta = timedelta(seconds=seconds)

    def as_sql(  # type: ignore[override]
        self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        """Return the SQL with one parameter, and its value."""
        return sql(connection), parameters([self], connection)


NOW = InSeconds()

in_seconds = lru_cache(maxsize=100)(InSeconds)
"""Returns ``InSeconds``, the same object for the same number of seconds."""


def sql(connection: BaseDatabaseWrapper) -> str:
    """Return the SQL for the time by the database's clock; its parameter is added to it."""
    match connection.vendor:
        case "postgresql":
            return "(statement_timestamp() + %s * interval '1 second')"
        case "mysql":
            return "(utc_timestamp(6) + interval %s second)"
    return "%s"


def parameters(times: Iterable[InSeconds], connection: BaseDatabaseWrapper) -> list[Any]:
    """Return the parameter of ``sql`` for each of these times, by one look at the clock."""
    match connection.vendor:
        case "postgresql":
            return [time.seconds for time in times]
        case "mysql":
            offset = 0 if settings.USE_TZ else _utc_offset()
            return [time.seconds + offset for time in times]
    # SQLite runs in this process, so the clock of this machine is its clock.
    now = timezone.now()
    return [connection.ops.adapt_datetimefield_value(now + time.delta) for time in times]


def is_constant(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the parameter of ``sql`` is the same at any time.

    On SQLite it is the time itself; on MariaDB it may have an offset that changes in summer.
    """
    return connection.vendor == "postgresql" or (connection.vendor == "mysql" and settings.USE_TZ)


def _utc_offset() -> float:
    """Return the offset of the project's time zone in seconds, for columns with naive times."""
    offset = datetime.now(timezone.get_default_timezone()).utcoffset()
    return (offset or timedelta()).total_seconds()
