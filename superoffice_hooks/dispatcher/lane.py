"""A lane: one thread of a process that calls receivers, with a database connection of its own.

It takes events that are due, one after the other; when nothing is due it looks after the spool and
the replays, rests, and looks again.
"""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError, connections

from .. import conf
from ..calling import ENDS_THE_PROCESS
from ..dispatching import Attempt
from ..logs import get_logger
from ..models import Event, queue
from ..models.turns import next_in_turn, park
from ..replaying import Calling

if TYPE_CHECKING:
    from .lanes import Lanes

logger = get_logger(__name__)

STUCK_SECONDS = 5.0
"""After so long in one call, a lane is stuck, and must not keep others from their receivers."""

_ALONE_SECONDS = 30.0
_AGAIN_SECONDS = 5.0
_MOST_FAILURES = 5


class Lane:
    """One thread of a process that calls receivers, with a database connection of its own."""

    def __init__(self, lanes: "Lanes") -> None:
        self._lanes = lanes
        self._attempt: Attempt | None = None
        self._replaying = Calling()
        self._unreturned: list[Event] = []
        self.error: BaseException | None = None
        """What kept it from its last look."""
        self.is_idle = False
        self.events: list[Event] = []
        """What it has claimed for itself."""
        self.thread = threading.Thread(
            target=self._live, name="superoffice_hooks lane", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    @property
    def called_for(self) -> float:
        """For how many seconds the call has lasted that it makes now; 0 if it makes none."""
        attempt = self._attempt
        return attempt.called_for if attempt else 0

    @property
    def stuck_in(self) -> str:
        """The dotted path of the receiver that it has been calling for STUCK_SECONDS."""
        if (attempt := self._attempt) is not None:
            return attempt.calling if attempt.called_for > STUCK_SECONDS else ""
        replaying = self._replaying
        return replaying.receiver if replaying.seconds > STUCK_SECONDS else ""

    @property
    def is_hung(self) -> bool:
        """Whether the call has lasted for CALL_SECONDS, so that its claim is not renewed."""
        return self.called_for > conf.current().CALL_SECONDS

    def _hangs(self) -> bool:
        return self.is_hung

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
                if failures == _MOST_FAILURES:
                    raise self.error
                time.sleep(self._lanes.pause.left)

    def _live(self) -> None:
        try:
            while not self._lanes.is_stopping and not self._is_surplus():
                if not self._step() and self._rests_or_ends():
                    return
        finally:
            self.is_idle = False
            self.end()

    def _is_surplus(self) -> bool:
        """Whether lanes that were stuck have come back, so that there are too many."""
        lanes = self._lanes
        with lanes.changed:
            free = [lane for lane in lanes.lanes if not lane.stuck_in]
            if len(free) <= lanes.count:
                return False
            lanes.lanes.remove(self)
            return True

    def _step(self) -> bool:
        """Do one thing that is to be done; return whether there was one."""
        self.error = None
        try:
            self._return_events()
            if event := self._lanes.next_handed():
                self._work([event], is_begun=True)
            elif self._lanes.look_after(self._replaying, is_idle=False):
                pass
            elif run := self._lanes.next_run():
                self._work(run)
            else:
                return self._lanes.look_after(self._replaying, is_idle=True)
        except ENDS_THE_PROCESS:
            raise
        except BaseException as error:
            self._recover(error)
            return False
        return True

    def _rests_or_ends(self) -> bool:
        """Wait until something may be due; return whether to end instead.

        The connection is given back if that takes long.
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

    def _work(self, run: list[Event], *, is_begun: bool = False) -> None:
        """Dispatch events one after the other, and those that were begun along with them."""
        self.events = run
        attempt: Attempt | None = self._lanes.attempt(run[0], is_begun=is_begun)
        try:
            while attempt:
                event = run[0]
                following = self._dispatch(attempt)
                run.pop(0)
                if run and not event.is_finished:
                    park(run)
                    run.clear()
                if not run:
                    next_in_turn(event)
                if following:
                    run.insert(0, following.event)
                if self._lanes.is_stopping:
                    self._give_back(run, following)
                attempt = following or (self._lanes.attempt(run[0]) if run else None)
        finally:
            self._unreturned += run
            self.events = []

    def _give_back(self, run: list[Event], begun: Attempt | None) -> None:
        """Give back what is left of a run, as the lane ends."""
        if begun:
            queue.give_back_begun(run.pop(0), 0)
        queue.give_back(run)
        run.clear()

    def _dispatch(self, attempt: Attempt) -> Attempt | None:
        """Make an attempt; return the one that began along with its outcome."""
        started = time.monotonic()
        gate = self._lanes.gate
        event = attempt.event
        if event.alone and not attempt.is_begun:
            with gate.alone(_ALONE_SECONDS) as is_alone:
                if not is_alone:
                    queue.postpone(event, _AGAIN_SECONDS)
                    return None
                following = self._make(self._lanes.attempt(event, alone=True))
        else:
            with gate.together(self._hangs):
                following = self._make(attempt)
        self._lanes.tried(event, time.monotonic() - started)
        return following

    def _make(self, attempt: Attempt) -> Attempt | None:
        """Make an attempt, and begin the next one along with it if there is a plain one."""
        event, claim = attempt.event, attempt.event.claim
        ahead = _Ahead(self._lanes)
        self._attempt = attempt
        is_concluded = False
        try:
            is_concluded = attempt.make(ahead.steps)
        except ENDS_THE_PROCESS:
            raise
        except Exception as error:
            logger.exception("Unexpected error while dispatching %s", event)
            event.claim = claim
            self._unreturned.append(event)
            self._recover(error)
        finally:
            self._attempt = None
            following = ahead.settle(is_committed=is_concluded)
        return following

    def end(self) -> None:
        """Give back what it has left, as it ends; if that fails, the claims lapse."""
        with suppress(DatabaseError, InterfaceError):
            self._return_events()
        close_connections()

    def _return_events(self) -> None:
        """Give back events that could not be given back when their attempt broke off."""
        while self._unreturned:
            event = self._unreturned[-1]
            queue.lose(event, _AGAIN_SECONDS) if event.begun_at else queue.give_back([event])
            self._unreturned.pop()

    def _recover(self, error: BaseException) -> None:
        """Get ready for the next look after an error, most often of a database that is away."""
        self.error = error
        if isinstance(error, DatabaseError | InterfaceError):
            self._lanes.note_away(error)
            close_connections()
        else:
            logger.error("Unexpected error in a lane", exc_info=error)
        self._lanes.pause.begin()


def close_connections() -> None:
    """Close the connections of this thread, but for those that a test has a transaction on."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


class _Ahead:
    """The attempt that begins in the transaction that concludes another."""

    def __init__(self, lanes: "Lanes") -> None:
        self._lanes = lanes
        self._attempt: Attempt | None = None
        self._step: queue.Step | None = None

    def steps(self) -> list[queue.Step]:
        """Return the step that begins it; again, if the transaction was rolled back."""
        if self._attempt is None:
            self._attempt = self._lanes.next_plain()
        if self._attempt is None:
            return []
        self._step = self._attempt.to_begin()
        return [self._step]

    def settle(self, *, is_committed: bool) -> Attempt | None:
        """Return the attempt if it has begun; put the event back if the transaction failed."""
        attempt, step = self._attempt, self._step
        if attempt is None or step is None:
            return None
        if is_committed:
            attempt.is_begun = step.applied
            return attempt if step.applied else None
        attempt.forget_begin()
        self._lanes.put_back([attempt.event])
        return None
