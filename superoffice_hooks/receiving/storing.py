"""Storing a delivery in the database, or raising the reason why that is not possible now.

If the database refuses this row, it is kept as a rejection. If the database is away, the delivery
belongs in the spool.
"""

from collections.abc import Callable

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from ..exceptions import SuperOfficeHooksError
from ..models import Event, errors, sessions
from ..models.time_limits import STATEMENT_SECONDS, limited
from ..wire.logs import get_logger
from ..wire.notification import Delivery, Unreadable
from .deadlines import deadlines
from .pausing import pause

logger = get_logger(__name__)

_DEADLINE_SECONDS = STATEMENT_SECONDS + 1.0
"""Storing that takes longer hangs: the time limits of the database did not end it."""

_MAX_DEAD_CONNECTIONS = 20
"""How many dead connections of a pool are replaced, one after the other."""

Record = Callable[[Delivery], tuple[Event, bool]]
Keep = Callable[[Delivery, str], None]


class DatabaseAway(SuperOfficeHooksError):
    """The database cannot take any delivery now."""


class NotStorable(SuperOfficeHooksError):
    """The database works, but takes this delivery neither as an event nor as a rejection."""


def store(delivery: Delivery, record: Record, keep: Keep) -> Event | None:
    """Store a delivery, over a new connection if the current one is dead.

    Args:
        delivery: one that is verified.
        record: stores it as an event, which it returns, and whether to dispatch that now.
        keep: stores one that is unreadable, or that breaks the connection.

    Returns:
        The event to dispatch now, if there is one.

    Raises:
        DatabaseAway: nothing was stored.
        NotStorable: nothing was stored, and the database works.
    """
    connection = connections[router.db_for_write(Event)]
    with pause.trying():
        try:
            if sessions.is_begun_unseen(connection):
                # By other code of this thread. What we would write would not be committed.
                sessions.renew(connection)
            connection.ensure_connection()
            limits = limited(connection)
        except Exception as error:
            raise DatabaseAway(_first_line(error)) from error
        with limits:
            return _store(delivery, record, keep, connection)


def _store(
    delivery: Delivery, record: Record, keep: Keep, connection: BaseDatabaseWrapper
) -> Event | None:
    reason = ""
    for is_second in (False, True):
        try:
            with deadlines.within(_DEADLINE_SECONDS, connection.connection):
                try:
                    event, is_due = record(delivery)
                except Unreadable as error:
                    keep(delivery, str(error))
                    return None
                return event if is_due else None
        except Exception as error:
            # If a working connection breaks twice in a row, it is the row: mysqlclient reports one
            # above max_allowed_packet in this way.
            is_hopeless = is_second and not errors.is_lost(error)
            if is_hopeless or not _has_new_connection(error, connection):
                raise _reason(error) from error
            reason = f"not storable: the connection breaks ({type(error).__name__})"
    try:
        with deadlines.within(_DEADLINE_SECONDS, connection.connection):
            keep(delivery, reason)
    except Exception as error:
        raise NotStorable(_first_line(error)) from error
    return None


def _has_new_connection(error: BaseException, connection: BaseDatabaseWrapper) -> bool:
    """Connect again if a new connection may do better; return whether that worked."""
    if connection.in_atomic_block or not errors.wants_fresh_connection(error):
        return False
    # A pool may have more dead connections, after a restart of the server.
    for _ in range(_MAX_DEAD_CONNECTIONS):
        sessions.end(connection)
        try:
            connection.ensure_connection()
        except Exception:
            return False
        if connection.is_usable():
            return True
    return False


def _reason(error: BaseException) -> DatabaseAway | NotStorable:
    """Return the exception to raise for the error of the last try."""
    if errors.is_away(error):
        return DatabaseAway(_first_line(error))
    logger.error(
        "A delivery could be stored neither as an event nor as a rejection", exc_info=error
    )
    return NotStorable(_first_line(error))


def _first_line(error: BaseException) -> str:
    """Return the class and the first line of the message; other lines may quote the row."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:200]
