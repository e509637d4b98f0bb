"""Storing a delivery in the database, or saying why that is not possible now.

What the database refuses is either this row's fault, and then it is kept as a rejection, or the
database is away, and then the delivery belongs into the spool.
"""

from collections.abc import Callable

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from .deadlines import deadlines
from .exceptions import SuperOfficeHooksError
from .logs import get_logger
from .models import Event, errors
from .models.time_limits import STATEMENT_SECONDS, limited
from .notification import Delivery
from .pausing import pause

logger = get_logger(__name__)

_DEADLINE_SECONDS = STATEMENT_SECONDS + 1.0
"""Storing that takes longer hangs: the limits of the database have not ended it."""

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
        with deadlines.within(_DEADLINE_SECONDS, connection.connection):
            return record(delivery)
    except Exception as error:
        if not _is_worth_another_try(error, connection):
            raise _verdict(error) from error
    try:
        with deadlines.within(_DEADLINE_SECONDS, connection.connection):
            return record(delivery)
    except Exception as error:
        # Twice in a row, and a connection that serves everything else: mysqlclient reports a row
        # above max_allowed_packet in this way.
        if not errors.is_lost(error) or not _is_worth_another_try(error, connection):
            raise _verdict(error) from error
        reason = f"not storable: the connection breaks ({type(error).__name__})"
    try:
        with deadlines.within(_DEADLINE_SECONDS, connection.connection):
            keep(delivery, reason)
    except Exception as error:
        raise NotStorable(_first_line(error)) from error
    return None


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
