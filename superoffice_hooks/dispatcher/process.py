"""The dispatcher of a web process: started by its first request, ended with the process."""

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.core import mail
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

from .. import conf
from ..dispatching import calling
from ..dispatching.in_thread import dispatch_begun, dispatch_now
from ..models import Dispatcher, Event, Replay, queue
from ..replay import running
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from .keeper import Keeper
from .lanes import Lanes

logger = get_logger(__name__)

_Row = TypeVar("_Row", Event, Replay)

_STOP_SECONDS = 20.0
"""How long a process that ends waits for its receivers; servers kill after 30 seconds."""

_DEVELOPMENT_STOP_SECONDS = 2.0

# By name, because Django Tasks need not be installed.
_ENQUEUE = "superoffice_hooks.tasks.enqueue"
_ENQUEUE_REPLAY = "superoffice_hooks.tasks.enqueue_replay"

_lock = threading.Lock()
_lanes: Lanes | None = None
_started_with: conf.HooksSettings | None = None
"""The settings with which the first request decided whether this process has lanes."""


def hand_over(event: Event | None) -> None:
    """Have the receivers of a stored event called; never raises.

    Does not wait, unless they are called in this thread.
    """
    if event is not None:
        _hand_over(event, dispatch_now, _ENQUEUE)


def hand_over_replay(replay: Replay) -> None:
    """Leave a replay to the dispatchers, if it is not finished; never raises."""
    if not replay.finished_at:
        replay.release()
        _hand_over(replay, _replay, _ENQUEUE_REPLAY)


def _hand_over(row: _Row, now: Callable[[_Row], object], enqueue: str) -> None:
    """Do it now in this thread, wake the lanes, or enqueue a task, as DISPATCH says."""
    match conf.current().DISPATCH:
        case "in_process" if calls_in_this_thread():
            now(row)
        case "in_process":
            _after_commit(wake)
        case "task":
            _after_commit(partial(import_string(enqueue), row))


def _replay(replay: Replay) -> None:
    try:
        running.replay(replay)
    except Exception:
        logger.exception(
            "Unexpected error in %s, which dispatchers carry on",
            replay,
            extra=fields(replay=replay.pk),
        )


def calls_in_this_thread() -> bool:
    """Return whether receivers are called in the thread that stored the event.

    They are with LANES = 0, with a database in memory that no other thread sees, and inside the
    transaction of a TestCase.
    """
    connection: Any = connections[queue.using()]
    if not conf.current().LANES or (connection.vendor == "sqlite" and connection.is_in_memory_db()):
        return True
    return connection.in_atomic_block and _is_in_test_transaction(connection)


def _is_in_test_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the transaction that surrounds us is a TestCase's, and no other is."""
    blocks = connection.atomic_blocks
    return bool(blocks) and all(getattr(block, "_from_testcase", False) for block in blocks)


def _after_commit(act: Callable[[], object]) -> None:
    """Act at once; or after the commit, if a transaction of the project surrounds us."""
    if _is_in_test_transaction(connections[queue.using()]):
        act()
    else:
        transaction.on_commit(act, using=queue.using(), robust=True)


class Place:
    """The place in the queue of an event that is about to be stored.

    If its receivers are called in this thread, or a lane of this process is idle, the event is
    stored as begun. It is handed to that lane.
    """

    def __init__(self) -> None:
        settings = conf.current()
        in_process = settings.DISPATCH == "in_process" and not settings.ORDERED
        in_thread = in_process and calls_in_this_thread()
        lanes = _lanes if in_process and not in_thread else None
        self._lanes = lanes if lanes and lanes.reserve() else None
        self._is_begun = in_thread or self._lanes is not None
        self._claimed_at = time.monotonic()
        self.columns = (
            queue.place_begun(alone=in_thread) if self._is_begun else queue.place_of_new()
        )

    def hand_over(self, event: Event | None) -> None:
        """Hand the event over, if one was stored and is due."""
        lanes, self._lanes = self._lanes, None
        # An event that was delivered again may be claimed by others.
        is_ours = self._is_begun and event is not None and event.claim == self.columns["claim"]
        begun = event if is_ours else None
        if begun is not None:
            begun.claimed_at = self._claimed_at
        if lanes is not None:
            lanes.hand(begun)
        elif begun is not None:
            dispatch_begun(begun)
        if begun is None:
            hand_over(event)


def start(**kwargs: Any) -> None:
    """Start the dispatcher of this process, unless it runs; a receiver of ``request_started``."""
    global _started_with  # noqa: PLW0603  (one per process)
    settings = conf.current()
    if settings is not _started_with and not _is_test():
        lanes_of_process()
        if settings.DISPATCH == "task":
            # Now, so that the first delivery need not wait for it.
            import_string(_ENQUEUE)
        _started_with = settings


def lanes_of_process() -> Lanes | None:
    """Return the lanes of this process, started if need be; None if it is to have none."""
    global _lanes  # noqa: PLW0603  (one per process)
    with _lock:
        if _lanes is None and _has_work():
            _lanes = _start()
        return _lanes


def wake() -> None:
    """Let the lanes of this process look for what is due."""
    if (lanes := lanes_of_process()) is not None:
        lanes.wake()


def wait_until_idle(seconds: float) -> bool:
    """Wait until the lanes of this process have nothing to do; for tests."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if _lanes is None or not _lanes.is_busy:
            return True
        time.sleep(0.002)
    return False


def _start() -> Lanes:
    settings = conf.current()
    dispatches = settings.DISPATCH == "in_process"
    # SQLite has one writer: a second lane would wait for the first.
    is_sqlite = connections[queue.using()].vendor == "sqlite"
    count = settings.LANES if dispatches and not is_sqlite else 1
    lanes = Lanes(
        Dispatcher.Kind.WEB,
        count,
        dispatches=dispatches,
        is_seen=dispatches and not _is_test(),
        ends_when_idle=_is_test(),
    )
    lanes.upkeep.enqueue = _enqueue
    lanes.start()
    if not _is_test():
        Keeper(lanes).start()
        name = "superoffice_hooks end"
        threading.Thread(target=_end_with_the_process, args=[lanes], name=name).start()
    return lanes


def _has_work() -> bool:
    """Return whether a web process dispatches, or may have a spool to drain."""
    settings = conf.current()
    if settings.DISPATCH == "in_process":
        return settings.LANES > 0
    return settings.SPOOL_DIR is not None


def _enqueue(event: Event) -> None:
    """Enqueue a spooled event with DISPATCH = "task"; lanes look for it themselves."""
    if conf.current().DISPATCH == "task":
        hand_over(event)


def _end_with_the_process(lanes: Lanes) -> None:
    """Let receivers finish when the process ends; it waits for this thread, which is no daemon.

    A server that ends without leaving the interpreter, as uvicorn on SIGTERM, does not wait.
    """
    threading.main_thread().join()
    calling.is_ending.set()
    is_development = "runserver" in sys.argv[1:2]
    lanes.stop(_DEVELOPMENT_STOP_SECONDS if is_development else _STOP_SECONDS)


def _is_test() -> bool:
    """Return whether tests run: Django makes the outbox for them."""
    return hasattr(mail, "outbox")


def _forget_after_fork() -> None:
    global _lanes, _lock, _started_with
    # Threads do not survive a fork.
    _lanes, _lock, _started_with = None, threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
