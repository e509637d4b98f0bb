"""Upkeep: what a dispatcher does beside dispatching what is due."""

import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial

from django.db import DatabaseError, InterfaceError

from .. import conf, receiving, replaying
from ..calling import BrokenOff
from ..logs import get_logger
from ..models import Dispatcher, Event, Replay
from ..replaying import Calling
from .gate import Gate

logger = get_logger(__name__)

_SPOOLED_AT_ONCE = 100
_ALONE_SECONDS = 5.0


class Upkeep:
    """Drains the spool and carries replays on, a little of each at a time.

    Lanes share it; each of the two is done by one lane at a time.

    Args:
        gate: lets a replay's calls through.
        row: the dispatcher's own; it is stored first.
        replays: whether to carry replays on.
        enqueue: what is done with each event that comes out of the spool.
    """

    def __init__(
        self,
        gate: Gate,
        row: Dispatcher | None,
        *,
        replays: bool = True,
        enqueue: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._gate = gate
        self._row = row
        self._replays = replays
        self._enqueue = enqueue
        self._last_replay = 0
        self._draining = threading.Lock()
        self._replaying = threading.Lock()
        self.replayed = 0
        """How many events were replayed."""

    def __call__(self, is_stopping: Callable[[], bool], calling: Calling) -> int:
        """Do a little; return how many deliveries were drained and events replayed.

        ``calling`` says which receiver a replay calls meanwhile.
        """
        done = 0
        if self._draining.acquire(blocking=False):
            try:
                done += self._drain()
            finally:
                self._draining.release()
        if self._replays and not is_stopping() and self._replaying.acquire(blocking=False):
            try:
                done += self._replay(is_stopping, calling)
            finally:
                self._replaying.release()
        return done

    def _drain(self) -> int:
        if self._row and not self._row.pk:
            self._row.say()
        drained = 0
        for event in receiving.drain(_SPOOLED_AT_ONCE):
            self._enqueue(event)
            drained += 1
        return drained

    def _replay(self, is_stopping: Callable[[], bool], calling: Calling) -> int:
        """Carry one replay a batch further; several take turns."""
        planned = replaying.next_waiting(self._last_replay)
        if planned is None:
            return 0
        self._last_replay = planned.pk
        if not planned.stalls:
            with self._gate.together(partial(_hangs, calling)):
                return self._carry_on(planned, is_stopping, calling)
        # It has outlived a process, which may have been its doing.
        with self._gate.alone(_ALONE_SECONDS) as is_alone:
            return self._carry_on(planned, is_stopping, calling) if is_alone else 0

    def _carry_on(self, planned: Replay, is_stopping: Callable[[], bool], calling: Calling) -> int:
        before = self.replayed
        try:
            with closing(replaying.batch(planned, calling)) as events:
                for _ in events:
                    self.replayed += 1
                    if is_stopping():
                        break
        except BrokenOff as error:
            logger.warning("%s was broken off and goes on later: %s", planned, error.__cause__)
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            logger.exception("Unexpected error in %s, which goes on later", planned)
        # At least one, so that the next one is looked for at once.
        return max(self.replayed - before, 1)


def _hangs(calling: Calling) -> bool:
    return calling.seconds > conf.current().CALL_SECONDS
