"""Recording: a run is stored together with what concludes with it, also after a session ended."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    connections,
    router,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from ..models import ReceiverRun, errors, sessions, updating
from ..models.transactions import in_own_transaction
from ..models.updating import Update
from .announcing import announce_run
from .failures import Failure

_WAITS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each attempt to write down an outcome while the database cannot be reached."""

Conclude = Callable[[ReceiverRun], Sequence[Update]]
"""Returns what is to be updated in the transaction of a run; before the run, so that all take the
same locks in the same order: the event's first. Called again if that transaction was rolled back.
"""

Fail = Callable[[ReceiverRun, BaseException, Conclude], ReceiverRun]
"""Stores a run that failed, and returns it."""

_T = TypeVar("_T")


def nothing(run: ReceiverRun) -> Sequence[Update]:
    """Conclude nothing."""
    return ()


def store_failure(
    run: ReceiverRun, error: BaseException, conclude: Conclude = nothing
) -> ReceiverRun:
    """Store a run that failed, in the group of its cause, and return it; announce a new cause."""
    failure = Failure(run, error)
    stored = store(run, conclude, before=failure.note)
    failure.announce()
    return announce_run(run, stored)


def store(
    run: ReceiverRun,
    conclude: Conclude = nothing,
    *,
    is_stored: bool = False,
    before: Callable[[], None] = lambda: None,
) -> ReceiverRun:
    """Store a run and what concludes with it; return it, or that of a process that was faster.

    ``before`` is called before the transaction, and again if that has to be repeated.
    """

    def write() -> None:
        before()
        in_own_transaction(own_connection().alias, conclude_and_store)

    def conclude_and_store() -> None:
        updates = conclude(run)
        if not is_stored:
            run.store(updates)
        elif updates:
            updating.run(own_connection(), updates)

    try:
        on_a_live_connection(write)
    except IntegrityError:
        if is_stored or not (other := run.success_elsewhere()):
            raise
        return store(other, conclude, is_stored=True)
    return run


def on_a_live_connection(write: Callable[[], _T]) -> _T:
    """Return what ``write`` returns, tried again on a new connection if the session ends.

    It is also tried again once if a new connection may do better: a receiver may have changed the
    settings of its session.
    """
    connection = own_connection()
    is_new = False
    for wait in _WAITS:
        session = connection.connection
        try:
            return write()
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block:
                raise
            if not sessions.has_ended(session, connection, error):
                if is_new or not errors.wants_fresh_connection(error):
                    raise
                is_new = True
            sessions.end(connection)
            time.sleep(wait)
    return write()


def own_connection() -> BaseDatabaseWrapper:
    """Return our own connection to the database that has the runs."""
    return connections[router.db_for_write(ReceiverRun)]
