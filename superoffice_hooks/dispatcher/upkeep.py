"""Upkeep: what a dispatcher does beside dispatching what is due."""

from collections.abc import Callable
from contextlib import closing

from .. import receiving, replaying
from ..calling import BrokenOff
from ..logs import get_logger
from ..models import Dispatcher, Event

logger = get_logger(__name__)

_SPOOLED_AT_ONCE = 100


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
        self._last_replay = 0
        self.replayed = 0
        """How many events were replayed."""

    def __call__(self, is_stopping: Callable[[], bool]) -> int:
        """Do a little; return how many deliveries were drained and events replayed."""
        if self._row and not self._row.pk:
            self._row.say()
        done = self._drain()
        if self._replays and not is_stopping():
            done += self._replay(is_stopping)
        return done

    def _drain(self) -> int:
        drained = 0
        for event in receiving.drain(_SPOOLED_AT_ONCE):
            self._enqueue(event)
            drained += 1
        return drained

    def _replay(self, is_stopping: Callable[[], bool]) -> int:
        """Carry one replay a batch further; several take turns."""
        planned = replaying.next_waiting(self._last_replay)
        if planned is None:
            return 0
        self._last_replay = planned.pk
        before = self.replayed
        try:
            with closing(replaying.batch(planned)) as events:
                for _ in events:
                    self.replayed += 1
                    if is_stopping():
                        break
        except BrokenOff as error:
            logger.warning("%s was broken off and goes on later: %s", planned, error.__cause__)
        except Exception:
            logger.exception("Unexpected error in %s, which goes on later", planned)
        # At least one, so that the next one is looked for at once.
        return max(self.replayed - before, 1)
