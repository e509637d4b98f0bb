"""Upkeep: what a dispatcher does beside dispatching what is due."""

import threading
from collections.abc import Callable
from contextlib import closing

from django.db import DatabaseError, InterfaceError

from ..dispatching.calling import BrokenOff
from ..dispatching.watching import Calling
from ..models import Dispatcher, Event, Replay
from ..receiving import deliveries
from ..replay import running
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from .gate import Gate, Pause
from .stranded import StrandedLook
from .webhook_watch import WebhookWatch

logger = get_logger(__name__)

_SECONDS = 1.0
_SPOOLED_AT_ONCE = 100
_ALONE_SECONDS = 5.0


class Upkeep:
    """Drains the spool, brings stranded events back, carries replays on, and has webhooks watched.

    It does a little at a time. Lanes share it; each of these is done by one lane at a time.

    Args:
        gate: lets a replay's calls through.
        row: the dispatcher's own; it is stored first. Without one, no webhook is watched.
        replays: whether to bring events back, and to carry replays on.
    """

    def __init__(self, gate: Gate, row: Dispatcher | None, *, replays: bool = True) -> None:
        self.enqueue: Callable[[Event], None] = lambda event: None
        """Called with each event that comes out of the spool."""
        self.pause = Pause(_SECONDS, _SECONDS)
        # Events that are due come first; if there are none, upkeep is done at once.
        self.pause.begin()
        self._was_useful = True
        self._gate = gate
        self._row = row
        self.watch = WebhookWatch()
        self._stranded = StrandedLook()
        self._replays = replays
        self._last_replay = 0
        self._draining = threading.Lock()
        self._replaying = threading.Lock()
        self.replayed = 0
        """How many events were replayed."""

    def take_turn(
        self, is_stopping: Callable[[], bool], calling: Calling, *, is_idle: bool
    ) -> bool:
        """Do a little if it is its turn; return whether there was anything to do.

        It is its turn once a second; or at once, if no event is due and there was something to do
        the last time.
        """
        if not (self.pause.is_over or (is_idle and self._was_useful)):
            return False
        self.pause.begin()
        self._was_useful = self.run(is_stopping, calling) > 0
        return self._was_useful

    def run(self, is_stopping: Callable[[], bool], calling: Calling) -> int:
        """Do a little; return how many deliveries and events it was done for.

        ``calling`` says which receiver a replay calls meanwhile.
        """
        done = 0
        if self._row:
            self.watch.take_turn()
        if self._draining.acquire(blocking=False):
            try:
                done += self._drain()
            finally:
                self._draining.release()
        if self._replays and not is_stopping() and self._replaying.acquire(blocking=False):
            try:
                done += self._stranded.take_turn()
                done += self._replay(is_stopping, calling)
            finally:
                self._replaying.release()
        return done

    def _drain(self) -> int:
        if self._row and not self._row.pk:
            self._row.note_seen()
        drained = 0
        for event in deliveries.drain(_SPOOLED_AT_ONCE):
            self.enqueue(event)
            drained += 1
        return drained

    def _replay(self, is_stopping: Callable[[], bool], calling: Calling) -> int:
        """Carry one replay a batch further; several take turns."""
        planned = running.next_waiting(self._last_replay)
        if planned is None:
            return 0
        self._last_replay = planned.pk
        # If a process has died during it, that was perhaps because of it.
        alone = planned.stalls > 0
        with self._gate.inside(calling, alone=alone, seconds=_ALONE_SECONDS) as is_inside:
            return self._carry_on(planned, is_stopping, calling) if is_inside else 0

    def _carry_on(self, planned: Replay, is_stopping: Callable[[], bool], calling: Calling) -> int:
        before = self.replayed
        try:
            with closing(running.batch(planned, calling)) as events:
                for _ in events:
                    self.replayed += 1
                    if is_stopping():
                        break
        except BrokenOff as error:
            logger.warning(
                "%s was broken off and goes on later: %s",
                planned,
                error.__cause__,
                extra=fields(replay=planned.pk),
            )
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            logger.exception(
                "Unexpected error in %s, which goes on later",
                planned,
                extra=fields(replay=planned.pk),
            )
        # At least one, so that the next replay is looked up at once.
        return max(self.replayed - before, 1)
