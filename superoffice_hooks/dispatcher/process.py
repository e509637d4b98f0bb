"""The dispatcher of a web process: started by its first request, ended with the process."""

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core import mail
from django.db import connections, transaction

from .. import calling, conf, replaying
from ..dispatching import dispatch_now
from ..logs import get_logger
from ..models import Dispatcher, Event, Replay, queue
from .keeper import Keeper
from .lanes import Lanes
from .upkeep import Upkeep

logger = get_logger(__name__)

_STOP_SECONDS = 20.0
"""How long the end of a process waits for its receivers; servers kill after 30 seconds."""

_DEVELOPMENT_STOP_SECONDS = 2.0

_lock = threading.Lock()
_lanes: Lanes | None = None


def hand_over(event: Event | None) -> None:
    """See to it that the receivers of a stored event are called; never raises, never waits."""
    if event is None:
        return
    match conf.current().DISPATCH:
        case "in_process" if calls_in_this_thread():
            dispatch_now(event)
        case "in_process":
            _after_commit(wake)
        case "task":
            # Imported here because django-tasks need not be installed.
            from ..tasks import enqueue  # noqa: PLC0415

            _after_commit(partial(enqueue, event))


def hand_over_replay(replay: Replay) -> None:
    """Leave a replay to the dispatchers, if it is not finished; never raises."""
    if replay.finished_at:
        return
    replay.release()
    match conf.current().DISPATCH:
        case "in_process" if calls_in_this_thread():
            replaying.replay(replay)
        case "in_process":
            _after_commit(wake)
        case "task":
            from ..tasks import enqueue_replay  # noqa: PLC0415

            _after_commit(partial(enqueue_replay, replay))


def calls_in_this_thread() -> bool:
    """Whether receivers are called in the thread that stored the event.

    So it is with LANES = 0, with a database in memory that no other thread sees, and inside the
    transaction of a TestCase.
    """
    connection = connections[queue.using()]
    if not conf.current().LANES:
        return True
    if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
        return True
    return _is_in_test_transaction()


def _is_in_test_transaction() -> bool:
    """Whether the transaction that surrounds us is a TestCase's, and no other is."""
    blocks = connections[queue.using()].atomic_blocks
    return bool(blocks) and all(getattr(block, "_from_testcase", False) for block in blocks)


def _after_commit(act: Callable[[], object]) -> None:
    """Act at once; or after the commit, if a transaction of the project surrounds us."""
    if _is_in_test_transaction():
        act()
    else:
        transaction.on_commit(act, using=queue.using(), robust=True)


class Place:
    """The place in the queue of an event that is about to be stored.

    If a lane of this process is idle, the event is stored as begun and handed to that lane.
    """

    def __init__(self) -> None:
        settings = conf.current()
        in_process = settings.DISPATCH == "in_process" and not settings.ORDERED
        lanes = _lanes if in_process and not calls_in_this_thread() else None
        self._lanes = lanes if lanes is not None and lanes.reserve() else None
        self.columns = queue.place_begun() if self._lanes else queue.place_of_new()

    def hand_over(self, event: Event | None) -> None:
        """Hand the event over, if one was stored and is due."""
        lanes, self._lanes = self._lanes, None
        if lanes is None:
            hand_over(event)
        elif event is not None and event.claim == self.columns["claim"]:
            lanes.hand(event)
        else:
            lanes.hand(None)
            hand_over(event)


def start(**kwargs: Any) -> None:
    """Start the dispatcher of this process, unless it runs; a receiver of ``request_started``."""
    if _lanes is None and not _is_test():
        running()


def running() -> Lanes | None:
    """Return the lanes of this process, started if need be; None if it is to have none."""
    global _lanes  # noqa: PLW0603  (one per process)
    with _lock:
        if _lanes is None and _has_work():
            _lanes = _start()
        return _lanes


def wake() -> None:
    """Let the lanes of this process look for what is due."""
    if (lanes := running()) is not None:
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
    lanes = Lanes(Dispatcher.Kind.WEB, count, dispatches=dispatches, ends_when_idle=_is_test())
    row = lanes.row if dispatches and not _is_test() else None
    lanes.upkeep = Upkeep(row, replays=dispatches, enqueue=_enqueue)
    lanes.start()
    if not _is_test():
        Keeper(lanes).start()
        name = "superoffice_hooks end"
        threading.Thread(target=_end_with_the_process, args=[lanes], name=name).start()
    return lanes


def _has_work() -> bool:
    """Whether a web process dispatches, or may have a spool to drain."""
    settings = conf.current()
    if settings.DISPATCH == "in_process":
        return settings.LANES > 0
    return settings.SPOOL_DIR is not None


def _enqueue(event: Event) -> None:
    """Hand on an event that was spooled; only a queue of tasks has to be told of it."""
    if conf.current().DISPATCH == "task":
        hand_over(event)


def _end_with_the_process(lanes: Lanes) -> None:
    """Let receivers finish as the process ends; this thread is no daemon, so it may take its time.

    A server that ends without leaving the interpreter, as uvicorn on SIGTERM, gives no time.
    """
    threading.main_thread().join()
    calling.is_ending.set()
    is_development = "runserver" in sys.argv[1:2]
    lanes.stop(_DEVELOPMENT_STOP_SECONDS if is_development else _STOP_SECONDS)


def _is_test() -> bool:
    """Whether tests run: Django makes the outbox as it sets the test environment up."""
    return hasattr(mail, "outbox")


def _forget_after_fork() -> None:
    global _lanes, _lock
    # Threads do not survive a fork.
    _lanes, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
