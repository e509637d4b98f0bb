"""Upkeep: what a dispatcher does beside dispatching what is due."""

import time
from collections.abc import Callable

from .. import receiving, replaying
from ..models import Dispatcher, Event

_SPOOLED_AT_ONCE = 100
_LOOK_SECONDS = 1.0


class Upkeep:
    """Drains the spool and carries replays on, a little of each at a time.

    Args:
        row: the dispatcher's own; it is stored first.
        replays: whether to carry replays on.
        enqueue: what is done with each event that comes out of the spool.
    """

    def __init__(
        self,
        row: Dispatcher | None,
        *,
        replays: bool = True,
        enqueue: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._row = row
        self._replays = replays
        self._enqueue = enqueue
        self._next_look = 0.0
        self.replayed = 0
        """How many events were replayed."""

    def __call__(self, is_stopping: Callable[[], bool]) -> int:
        """Do a little; return how many deliveries were drained and events replayed."""
        if time.monotonic() < self._next_look:
            return 0
        if self._row and not self._row.pk:
            self._row.say()
        done = self._drain()
        if self._replays and not is_stopping():
            done += self._replay(is_stopping)
        if not done:
            self._next_look = time.monotonic() + _LOOK_SECONDS
        return done

    def _drain(self) -> int:
        drained = 0
        for event in receiving.drain(_SPOOLED_AT_ONCE):
            self._enqueue(event)
            drained += 1
        return drained

    def _replay(self, is_stopping: Callable[[], bool]) -> int:
        before = self.replayed
        for _ in replaying.carry_on_waiting(is_stopping):
            self.replayed += 1
        return self.replayed - before
