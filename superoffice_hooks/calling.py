"""Calling: one receiver for one event, in its own transaction, with the record that it ran.

What a receiver did in the database and its run are committed together or not at all, and the unique
key of the run lets one of two processes commit, however they got hold of the same event.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    connections,
    router,
    transaction,
)
from django.utils import timezone, translation

from .logs import get_logger
from .models import Event, ReceiverRun, Replay, updating
from .models.updating import Update
from .receivers import Verdict

logger = get_logger(__name__)

ENDS_THE_PROCESS = (KeyboardInterrupt, GeneratorExit)
"""What is no receiver's failure. Everything else that one raises is, cancellations included."""

is_ending = threading.Event()
"""Set while the interpreter ends: from then on, threads and event loops cannot be started, and what
a receiver raises may come from that."""

_WAITS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each attempt to write down an outcome while the database cannot be reached."""

Conclude = Callable[[ReceiverRun], Sequence[Update]]
"""Returns what is to be updated in the transaction of a run; before the run, so that all take the
same locks in the same order: the event's first. Called again if that transaction was rolled back.
"""

_T = TypeVar("_T")


class BrokenOff(Exception):
    """The call ended by no fault of the receiver, and nothing of it was committed."""


class SessionLost(BrokenOff):
    """The database session ended during the call."""


class _Session:
    """The database session that our own connection has now."""

    def __init__(self) -> None:
        self._connection = connections[_using()]
        self._raw = self._connection.connection

    def has_ended(self, error: BaseException) -> bool:
        """Whether it has ended since, which the error may come from."""
        connection = self._connection
        if not (isinstance(error, DatabaseError | InterfaceError) or connection.errors_occurred):
            return False
        # Django connects anew as a transaction ends whose rollback failed.
        raw = connection.connection
        return raw is None or raw is not self._raw or not connection.is_usable()


def nothing(run: ReceiverRun) -> Sequence[Update]:
    """Conclude nothing."""
    return ()


def call(
    verdict: Verdict, event: Event, replay: Replay | None = None, conclude: Conclude = nothing
) -> ReceiverRun:
    """Call one receiver for an event, and store its run.

    Args:
        verdict: the receiver, with the changes to call it with.
        event: the event.
        replay: the replay that wants the call; None for an ordinary dispatch.
        conclude: what to update in the transaction that stores the run, whatever came of it.

    Returns:
        The run as stored; if another process was faster, that one's.

    Raises:
        BrokenOff: nothing is stored, and it is no failure of the receiver.
        DatabaseError: the outcome cannot be written down.
    """
    run = ReceiverRun.begin(event, verdict.receiver.path, replay)
    atomic = verdict.receiver.options.atomic
    rides = atomic and (conclude is nothing or outcome_may_ride())
    committed: list[bool] = []
    connections[_using()].ensure_connection()
    session = _Session()
    try:
        with _own_transaction(committed) if atomic else nullcontext():
            _in_the_projects_language(verdict, event, replay)
            run.succeed()
            if atomic:
                run.store(conclude(run) if rides else ())
    except ENDS_THE_PROCESS:
        raise
    except BaseException as error:
        if not committed:
            return _not_committed(error, run, conclude, session)
        with suppress(DatabaseError, InterfaceError):
            on_a_live_connection(partial(run.note, error))
        logger.exception(
            "An on_commit hook of receiver %s raised for %s. What the receiver did is committed.",
            run.receiver,
            event,
        )
    return run if rides else store(run, conclude, is_stored=atomic)


def store(
    run: ReceiverRun, conclude: Conclude = nothing, *, is_stored: bool = False
) -> ReceiverRun:
    """Store a run and what concludes with it; return it, or that of a process that was faster."""

    def write() -> None:
        with transaction.atomic(using=_using()):
            updates = conclude(run)
            if not is_stored:
                run.store(updates)
            elif updates:
                updating.run(connections[_using()], updates)

    try:
        on_a_live_connection(write)
    except IntegrityError:
        if is_stored or not (other := run.success_elsewhere()):
            raise
        return store(other, conclude, is_stored=True)
    return run


def _not_committed(
    error: BaseException, run: ReceiverRun, conclude: Conclude, session: _Session
) -> ReceiverRun:
    """Store what came of a call that raised.

    Raises:
        BrokenOff: it raised because the database session ended, or the process.
    """
    # event.delete() is undone with the rest, but has left the instance without its key.
    run.event.pk = run.event_id
    if session.has_ended(error):
        connections[_using()].close()
        if committed := on_a_live_connection(run.success_elsewhere):
            return committed
        raise SessionLost from error
    if isinstance(error, IntegrityError) and (other := run.success_elsewhere()):
        return store(other, conclude, is_stored=True)
    if is_ending.is_set():
        raise BrokenOff from error
    logger.warning("Receiver %s raised for %s", run.receiver, run.event, exc_info=error)
    run.fail(error)
    return store(run, conclude)


@contextmanager
def _own_transaction(committed: list[bool]) -> Iterator[None]:
    """Open a transaction in the database that has the runs; note its commit in ``committed``."""
    connection = connections[_using()]
    # What surrounds us commits later, and its hooks are not ours.
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=_using()):
        if is_outermost:
            # The first hook, so it runs before those that the receiver adds.
            transaction.on_commit(lambda: committed.append(True), using=_using())
        if connection.vendor == "sqlite":
            # SQLite waits for its lock only if the transaction begins with a write.
            updating.update(Event, {"claim": updating.SQL("claim")}, [-1])
        yield


def outcome_may_ride() -> bool:
    """Whether an event's outcome may be written in the transaction of a receiver.

    Under REPEATABLE READ, a claim that was renewed meanwhile would undo the receiver's work
    (PostgreSQL: 40001).
    """
    connection = connections[_using()]
    match connection.vendor:
        case "sqlite":
            return True
        case "postgresql":
            level = getattr(connection, "isolation_level", None)
            return level is None or getattr(level, "name", "") == "READ_COMMITTED"
    return getattr(connection, "isolation_level", "") == "read committed"


def _in_the_projects_language(verdict: Verdict, event: Event, replay: Replay | None) -> None:
    """Call the receiver in the project's language and time zone, whoever started this."""
    with (
        translation.override(settings.LANGUAGE_CODE),
        timezone.override(timezone.get_default_timezone()),
    ):
        verdict(sender=Event, event=event, replay=replay)


def on_a_live_connection(write: Callable[[], _T]) -> _T:
    """Return what ``write`` returns, tried again on a new connection if the session ends."""
    connection = connections[_using()]
    for wait in _WAITS:
        session = _Session()
        try:
            return write()
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block or not session.has_ended(error):
                raise
            connection.close()
            time.sleep(wait)
    return write()


def _using() -> str:
    return router.db_for_write(ReceiverRun)
