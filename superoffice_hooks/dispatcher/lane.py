"""A lane: one thread of a process that calls receivers, with a database connection of its own.

It takes events that are due, one after the other; when nothing is due it looks after the spool and
the replays, rests, and looks again.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError

from ..dispatching.attempts import Attempt
from ..dispatching.watching import Calling, Surroundings
from ..exceptions import ends_the_process
from ..models import Event, steps
from ..models.queued import Queued
from ..models.turns import pass_on
from ..wire.log_fields import about
from ..wire.logs import get_logger
from .away import close_connections
from .gather import AGAIN_SECONDS, gather

if TYPE_CHECKING:
    from .lanes import Lanes

logger = get_logger(__name__)

_MAX_FAILURES = 5


class Lane:
    """One thread of a process that calls receivers, with a database connection of its own."""

    def __init__(self, lanes: "Lanes") -> None:
        self._lanes = lanes
        self.calling = Calling()
        """The call that it makes now."""
        self.surroundings = Surroundings(self.calling, lanes.count == 1, lanes.may_call)
        """What goes on around its attempts."""
        self.alone = self.surroundings._replace(alone=True)
        """The same for those that are made alone."""
        self._following: Attempt | None = None
        self.unreturned: list[Queued] = []
        self.error: BaseException | None = None
        """What kept it from its last look."""
        self.is_idle = False
        self.rows: Sequence[Queued] = ()
        """What it has claimed for itself."""
        self._prefers_gathering = False
        self.thread = threading.Thread(
            target=self._live, name="superoffice_hooks lane", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def run_until_idle(self) -> None:
        """Dispatch in this thread until nothing is due.

        Raises:
            Exception: the same error has kept it from that several times.
        """
        failures = 0
        while not self._lanes.is_stopping:
            if self._step():
                failures = 0
            elif self.error is None:
                return
            else:
                failures += 1
                if failures == _MAX_FAILURES:
                    raise self.error
                time.sleep(self._lanes.pause.left)

    def _live(self) -> None:
        try:
            while not self._lanes.is_stopping:
                if len(self._lanes.lanes) > self._lanes.count and self._is_surplus():
                    return
                if not self._step() and self._rests_or_ends():
                    return
        except BaseException:
            # Nothing should come here. The keeper starts another one.
            with self._lanes.changed:
                self._lanes.lanes.remove(self)
            raise
        finally:
            self.is_idle = False
            self.end()

    def _is_surplus(self) -> bool:
        """Return whether lanes that were stuck have come back, so that this one is to end."""
        lanes = self._lanes
        with lanes.changed:
            free = [lane for lane in lanes.lanes if not lane.calling.is_stuck]
            if len(free) <= lanes.count:
                return False
            lanes.lanes.remove(self)
            return True

    def _step(self) -> bool:
        """Do one thing that is to be done; return whether there was one."""
        self.error = None
        try:
            if self.unreturned:
                self._return_events()
            if event := self._lanes.next_handed():
                self._work([event])
            elif self._looks_after(is_idle=False):
                pass
            elif not self._works_in_turn():
                return self._looks_after(is_idle=True)
        except BaseException as error:
            if ends_the_process(error):
                raise
            self._recover(error)
            return False
        return True

    def _works_in_turn(self) -> bool:
        """Dispatch events or a gathering, by turns if both are due; False if none is."""
        self._prefers_gathering = not self._prefers_gathering
        gathering = self._lanes.next_gathering() if self._prefers_gathering else None
        if sequence := [] if gathering else self._lanes.next_sequence():
            self._work(sequence)
            return True
        if gathering := gathering or self._lanes.next_gathering():
            gather(self._lanes, self, gathering)
        return gathering is not None

    def _looks_after(self, *, is_idle: bool) -> bool:
        """Do a little of the upkeep; return whether there was anything to do."""
        lanes = self._lanes
        is_useful = lanes.upkeep.take_turn(lambda: lanes.is_stopping, self.calling, is_idle=is_idle)
        if is_useful:
            # Events that were drained are due.
            lanes.pause.end()
        return is_useful

    def _rests_or_ends(self) -> bool:
        """Wait until something may be due; return whether to end instead.

        The connection is closed if that may take long.
        """
        lanes = self._lanes
        if lanes.pause.is_long or lanes.ends_when_idle:
            close_connections()
        if lanes.may_end(self):
            return True
        with lanes.changed:
            if not (lanes.is_stopping or lanes.has_work):
                self.is_idle = True
                lanes.changed.wait(lanes.pause.left)
                self.is_idle = False
        return False

    def _work(self, sequence: list[Event]) -> None:
        """Dispatch events one after the other, and those that were begun along with them."""
        self.rows = sequence
        attempt: Attempt | None = Attempt(sequence[0], self.surroundings)
        try:
            while attempt:
                following = self._dispatch(attempt)
                pass_on(sequence)
                if following:
                    sequence.insert(0, following.event)
                if self._lanes.is_stopping:
                    self._give_back(sequence, following)
                attempt = following or (
                    Attempt(sequence[0], self.surroundings) if sequence else None
                )
        finally:
            self.unreturned += sequence
            self.rows = ()

    def _give_back(self, sequence: list[Event], begun: Attempt | None) -> None:
        """Give back what is left of a sequence, because the lane ends."""
        if begun:
            steps.break_off(sequence.pop(0), 0).apply()
        steps.give_back(sequence)
        sequence.clear()

    def _dispatch(self, attempt: Attempt) -> Attempt | None:
        """Make an attempt; return the one that began along with its outcome."""
        started, event, claim = time.monotonic(), attempt.event, attempt.event.claim
        if is_suspect := event.alone and not event.begun_at:
            attempt = Attempt(event, self.alone)
        is_concluded = False
        with (
            self._lanes.gate.inside(self.calling, alone=is_suspect) as is_inside,
            about(event=event),
        ):
            if not is_inside:
                steps.postpone(event, AGAIN_SECONDS, alone=True).apply()
                return None
            try:
                is_concluded = attempt.make(self._along)
            except Exception as error:
                logger.exception("Unexpected error while dispatching %s", event)
                event.claim = claim
                self.unreturned.append(event)
                self._recover(error)
            finally:
                following, self._following = self._following, None
                if following and not is_concluded:
                    following.forget_begin()
                    self._lanes.put_back([following.event])
        self._lanes.tried(event, time.monotonic() - started)
        return following if following and is_concluded and following.event.begun_at else None

    def _along(self) -> list[steps.Step]:
        """Return the step that begins a plain attempt, if there is one, along with an outcome.

        Called again if the transaction was rolled back.
        """
        if self._following is None:
            self._following = self._lanes.next_plain(self.surroundings)
        return [self._following.to_begin()] if self._following else []

    def end(self) -> None:
        """Give back what it has left, because it ends; if that fails, the claims lapse."""
        with suppress(DatabaseError, InterfaceError):
            self._return_events()
        close_connections()

    def _return_events(self) -> None:
        """Give back ``unreturned``."""
        while self.unreturned:
            steps.end(self.unreturned[-1], AGAIN_SECONDS)
            self.unreturned.pop()

    def _recover(self, error: BaseException) -> None:
        """Prepare for the next look after an error; often the database is away."""
        self.error = error
        if isinstance(error, DatabaseError | InterfaceError):
            self._lanes.away.note(error)
            close_connections()
        else:
            logger.error("Unexpected error in a lane", exc_info=error)
        self._lanes.pause.begin()
