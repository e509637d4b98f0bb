"""Storing a delivery in the database, or saying why that is not possible now.

What the database refuses is either this row's fault, and then it is kept as a rejection, or the
database is away, and then the delivery belongs into the spool.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from .exceptions import SuperOfficeHooksError
from .models import Event, errors
from .models.time_limits import STATEMENT_SECONDS, limited
from .notification import Delivery

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0
"""How long this process does not ask a database that was away."""

_PATIENCE_SECONDS = STATEMENT_SECONDS + 1.0
"""A statement that takes longer hangs: the limits of the database do not end it."""

_MOST_DEAD_CONNECTIONS = 20
"""How many connections of a pool may be dead before it is no use to take another one."""

Record = Callable[[Delivery], Event | None]
Keep = Callable[[Delivery, str], None]


class DatabaseAway(SuperOfficeHooksError):
    """The database cannot take any delivery now."""


class NotStorable(SuperOfficeHooksError):
    """The database works, but takes this delivery neither as an event nor as a rejection."""


def store(delivery: Delivery, record: Record, keep: Keep) -> Event | None:
    """Record a delivery, over a new connection if the one at hand is dead.

    Returns what ``record`` returns. ``keep`` has to keep what breaks the connection.

    Raises:
        DatabaseAway: nothing was stored.
        NotStorable: nothing was stored, and the database works.
    """
    connection = connections[router.db_for_write(Event)]
    with pause.asking():
        try:
            connection.ensure_connection()
            limits = limited(connection)
        except Exception as error:
            raise DatabaseAway(_first_line(error)) from error
        with limits:
            return _store(delivery, record, keep, connection)


def _store(
    delivery: Delivery, record: Record, keep: Keep, connection: BaseDatabaseWrapper
) -> Event | None:
    try:
        return record(delivery)
    except Exception as error:
        if not _is_worth_another_try(error, connection):
            raise _verdict(error) from error
    try:
        return record(delivery)
    except Exception as error:
        # Twice in a row, and a connection that serves everything else: mysqlclient reports a row
        # above max_allowed_packet in this way.
        if not errors.is_lost(error) or not _is_worth_another_try(error, connection):
            raise _verdict(error) from error
        reason = f"not storable: the connection breaks ({type(error).__name__})"
    try:
        keep(delivery, reason)
    except Exception as error:
        raise NotStorable(_first_line(error)) from error
    return None


class Pause:
    """Whether this process may ask the database, which it does not for a while after a failure."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: float | None = None
        self._asking: dict[int, float] = {}
        self._numbers = count()
        self.succeeded_at = 0.0
        """When the database last took a delivery, by the monotonic clock."""

    def is_over(self) -> bool:
        """Return whether to ask the database; at the end of a pause, to one delivery."""
        now = time.monotonic()
        with self._lock:
            if self._until is None and self._hangs(now):
                self._until = now + PAUSE_SECONDS
            if self._until is None:
                return True
            if now < self._until:
                return False
            # The others wait for what becomes of this one.
            self._until = now + PAUSE_SECONDS
            return True

    def begin(self) -> bool:
        """Begin a pause; return whether there was none before."""
        with self._lock:
            is_new = self._until is None
            self._until = time.monotonic() + PAUSE_SECONDS
        return is_new

    def end(self) -> None:
        """Let everybody ask the database again."""
        with self._lock:
            self._until = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Note that the database is asked; if it answers, the pause is over."""
        number = next(self._numbers)
        with self._lock:
            self._asking[number] = time.monotonic()
        try:
            yield
            self.end()
            self.succeeded_at = time.monotonic()
        finally:
            with self._lock:
                self._asking.pop(number, None)

    def forget(self) -> None:
        """Begin anew, as a process that was forked has to."""
        self.__init__()  # type: ignore[misc]

    def _hangs(self, now: float) -> bool:
        """Return whether another thread has waited for the database for too long."""
        return any(now - since > _PATIENCE_SECONDS for since in self._asking.values())


pause = Pause()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pause.forget)


def _is_worth_another_try(error: BaseException, connection: BaseDatabaseWrapper) -> bool:
    """Return whether a new connection may do better, and works; it is in place then."""
    if connection.in_atomic_block or not errors.wants_fresh_connection(error):
        return False
    # A pool may have more dead connections, after a restart of the server.
    for _ in range(_MOST_DEAD_CONNECTIONS):
        connection.close()
        try:
            connection.ensure_connection()
        except Exception:
            return False
        if connection.is_usable():
            return True
    return False


def _verdict(error: BaseException) -> DatabaseAway | NotStorable:
    """Return what is to be raised for an error after which nothing else is tried."""
    if errors.is_away(error):
        return DatabaseAway(_first_line(error))
    logger.error(
        "A delivery could be stored neither as an event nor as a rejection", exc_info=error
    )
    return NotStorable(_first_line(error))


def _first_line(error: BaseException) -> str:
    """Return the class and the first line of the message; the others may quote the row."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:200]
