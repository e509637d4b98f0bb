"""Calling: one receiver for one event, in its own transaction, with the record that it ran.

What a receiver did in the database and its run are committed together or not at all, and the unique
key of the run lets one of two processes commit, if both have the same event for any reason.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

from django.conf import settings
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone, translation

from ..exceptions import Failed, ends_the_process
from ..models import Event, ReceiverRun, Replay, queue, sessions, updating
from ..models.errors import is_victim
from ..models.transactions import reads_committed
from ..receivers import Receiver
from ..wire.log_fields import about
from ..wire.logs import get_logger
from .announcing import announce_run
from .lending import Lent
from .recording import (
    Conclude,
    Fail,
    nothing,
    on_a_live_connection,
    own_connection,
    store,
    store_failure,
)

logger = get_logger(__name__)

is_ending = threading.Event()
"""Set while the interpreter ends: from then on, threads and event loops cannot be started, and what
a receiver raises may come from that."""


class BrokenOff(Exception):
    """The call ended by no fault of the receiver, and nothing of it was committed."""


class SessionLost(BrokenOff):
    """The database session ended during the call."""


class Deleted(BrokenOff):
    """Somebody has deleted the event meanwhile."""


def is_broken_off(error: BaseException) -> bool:
    """Return whether an attempt ended by no fault of a receiver, or as the victim of a deadlock."""
    return isinstance(error, BrokenOff) or is_victim(error)


def call(
    receiver: Receiver,
    event: Event,
    replay: Replay | None = None,
    conclude: Conclude = nothing,
    *,
    run: ReceiverRun | None = None,
    events: Sequence[Event] | None = None,
    fail: Fail = store_failure,
) -> ReceiverRun:
    """Call one receiver for an event, and store its run.

    Args:
        receiver: the receiver, with the changes to call it with.
        event: the event.
        replay: the replay that wants the call; None for an ordinary dispatch.
        conclude: what to update in the transaction that stores the run, with any outcome.
        run: the run, if it is for several events.
        events: those events.
        fail: stores a failure, if not as usual.

    Returns:
        The run as stored; if another process was faster, that one's.

    Raises:
        BrokenOff: nothing is stored, and it is no failure of the receiver.
        DatabaseError: the outcome cannot be written down.
    """
    run = run or ReceiverRun.begin(event, receiver.path, replay)
    together = {} if events is None else {"events": events}
    replayed = replay and replay.pk
    with about(event=event, events=events, receiver=receiver.path, replay=replayed):
        try:
            return _call(receiver, run, conclude, fail, together)
        except IntegrityError as error:
            if queue.events().filter(pk=run.event_id).exists():
                raise
            logger.warning("%s was deleted while receiver %s was called", event, receiver.path)
            raise Deleted from error


def _call(
    receiver: Receiver, run: ReceiverRun, conclude: Conclude, fail: Fail, together: dict[str, Any]
) -> ReceiverRun:
    event = run.event
    connection = own_connection()
    atomic = receiver.options.atomic
    rides = atomic and (conclude is nothing or reads_committed(connection))
    committed: list[bool] = []
    connection.ensure_connection()
    lent = Lent(connection)
    try:
        with lent, _own_transaction(connection, committed) if atomic else nullcontext():
            lent.watch()
            # In the project's own language and time zone, not those of a request.
            zone = timezone.override(timezone.get_default_timezone())
            with translation.override(settings.LANGUAGE_CODE), zone:
                try:
                    receiver.call(sender=Event, event=event, replay=run.replay, **together)
                except Failed as failed:
                    if not _is_partial(failed, run, connection):
                        raise
                finally:
                    # event.delete() takes the key away, and so does the way to copy a row.
                    event.pk = run.event_id
            run.succeed()
            if atomic:
                _store(run, conclude if rides else nothing)
    except BaseException as error:
        if ends_the_process(error):
            raise
        if not committed:
            return _not_committed(error, run, conclude, lent, fail)
        with suppress(DatabaseError, InterfaceError):
            on_a_live_connection(partial(run.note, error))
        logger.exception(
            "An on_commit hook of receiver %s raised for %s. What the receiver did is committed.",
            run.receiver,
            event,
        )
    return announce_run(run, run if rides else store(run, conclude, is_stored=atomic))


def _store(run: ReceiverRun, conclude: Conclude) -> None:
    """Store a success in the transaction of its receiver.

    Raises:
        BrokenOff: the database undid the transaction for the sake of another one, while it wrote
            what is ours. The receiver has no part in that.
    """
    try:
        run.store(conclude(run))
    except DatabaseError as error:
        if is_victim(error):
            raise BrokenOff from error
        raise


def _is_partial(failed: Failed, run: ReceiverRun, connection: BaseDatabaseWrapper) -> bool:
    """Return whether the receiver named the events that failed, and the others have succeeded."""
    is_broken = connection.in_atomic_block and connection.needs_rollback
    return not is_broken and run.members is not None and run.members.name(failed.errors)


def _not_committed(
    error: BaseException, run: ReceiverRun, conclude: Conclude, lent: Lent, fail: Fail
) -> ReceiverRun:
    """Store what came of a call that raised.

    Raises:
        BrokenOff: it raised because the database session ended, or the process.
    """
    if isinstance(error, BrokenOff):
        raise error
    if lent.is_lost:
        sessions.end(own_connection())
        if committed := on_a_live_connection(run.success_elsewhere):
            return committed
        raise SessionLost from error
    if isinstance(error, IntegrityError) and (other := run.success_elsewhere()):
        return store(other, conclude, is_stored=True)
    if is_ending.is_set():
        raise BrokenOff from error
    logger.warning("Receiver %s raised for %s", run.receiver, run.event, exc_info=error)
    if isinstance(error, Failed) and (run.members is None or run.members.is_single):
        # It was called for this event alone.
        error = error.errors.get(run.event, error)
    return fail(run, error, conclude)


def log_session_lost(receiver: str, what: object) -> None:
    """Log that a database session ended during a call."""
    logger.warning(
        "The database session ended while receiver %s was called for %s, which is tried again: the"
        " receiver is at fault only if it happens each time",
        receiver,
        what,
    )


@contextmanager
def _own_transaction(connection: BaseDatabaseWrapper, committed: list[bool]) -> Iterator[None]:
    """Open a transaction in the database that has the runs; note its commit in ``committed``."""
    # What surrounds us commits later, and its hooks are not ours.
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=connection.alias):
        if is_outermost:
            # The first hook, so it runs before those that the receiver adds.
            transaction.on_commit(lambda: committed.append(True), using=connection.alias)
        if connection.vendor == "sqlite":
            updating.take_write_lock(Event, connection)
        yield
