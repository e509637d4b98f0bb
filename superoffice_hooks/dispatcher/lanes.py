"""Lanes: the threads of a process that dispatch, and what they share.

Events are claimed for all lanes in one statement.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from django.db import DatabaseError

from .. import conf
from ..dispatching import Attempt
from ..logs import get_logger
from ..models import Dispatcher, Event, queue
from ..models.taking import Taker
from ..models.turns import runs_in_turn
from ..replaying import Calling
from .gate import Gate, Pause
from .lane import Lane, close_connections

logger = get_logger(__name__)

_AHEAD_SECONDS = 0.5
"""Events are claimed for about so long ahead, so that other processes get their share."""

_MOST_AHEAD = 50
_UPKEEP_SECONDS = 1.0
_SILENT_SECONDS = 60.0


class Lanes:
    """The dispatcher of a process.

    Args:
        kind: where it runs.
        lanes: how many threads call receivers.
        most: how many events are claimed at a time, at most.
        longest_pause: seconds between two looks when nothing was due for a while.
        dispatches: whether lanes dispatch what is due, or only do the upkeep.
        ends_when_idle: whether lanes end when nothing is due, and are started anew by ``wake``.
    """

    def __init__(
        self,
        kind: Dispatcher.Kind,
        lanes: int,
        *,
        most: int = _MOST_AHEAD,
        longest_pause: float = 5.0,
        dispatches: bool = True,
        ends_when_idle: bool = False,
    ) -> None:
        self.count = lanes
        self.upkeep: Callable[[Callable[[], bool], Calling], int] = lambda is_stopping, calling: 0
        """What a lane does when nothing is due; returns how much there was to do."""
        self.row = Dispatcher.of_this_process(kind, lanes)
        self.outcomes = Counter[str]()
        """What became of the events, by their status."""
        self.gate = Gate()
        self.lanes: list[Lane] = []
        self.pause = Pause(0.25, longest_pause)
        self.changed = threading.Condition()
        self._most = most
        self._dispatches = dispatches
        self.ends_when_idle = ends_when_idle
        self._taker = Taker()
        self._runs = deque[list[Event]]()
        self._handed = deque[Event]()
        self._reserved = 0
        self._taking = threading.Lock()
        self._upkeep_pause = Pause(_UPKEEP_SECONDS, _UPKEEP_SECONDS)
        # What is due comes first; if nothing is, it is the upkeep's turn.
        self._upkeep_pause.begin()
        self._upkept = True
        self._stopping = threading.Event()
        self._pace = 0.05
        self._silent_until = 0.0

    # The life of the lanes.

    def start(self) -> None:
        """Start a thread for each lane."""
        while len(self.lanes) < self.count:
            self.add_lane()

    def add_lane(self) -> None:
        """Start one more lane."""
        lane = Lane(self)
        self.lanes.append(lane)
        lane.start()

    @property
    def has_work(self) -> bool:
        """Whether there are events that a lane can begin with at once."""
        return bool(self._runs or self._handed)

    @property
    def is_stopping(self) -> bool:
        """Whether the lanes are to end."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Say that something may be due."""
        with self.changed:
            self.pause.end()
            self._upkeep_pause.end()
            self.changed.notify()
            if self.ends_when_idle:
                self.start()

    def may_end(self, lane: Lane) -> bool:
        """Let a lane end that has nothing to do, if lanes are to."""
        with self.changed:
            ends = self.ends_when_idle and not self.pause.is_over and not self.has_work
            if ends:
                self.lanes.remove(lane)
            return ends

    def tell_to_stop(self) -> None:
        """Let the lanes end, each after the receiver that it calls; for signal handlers."""
        self._stopping.set()

    def stop(self, seconds: float) -> None:
        """Let the receivers that are being called finish, give the rest back, and say so."""
        self.tell_to_stop()
        with self.changed:
            self.changed.notify_all()
        end = time.monotonic() + seconds
        for lane in list(self.lanes):
            if lane.thread.is_alive():
                lane.thread.join(max(end - time.monotonic(), 0))
        self.give_back_all()

    def give_back_all(self) -> None:
        """Give back what was claimed and not begun."""
        try:
            while self._handed:
                queue.give_back_begun(self._handed.popleft(), 0)
            while self._runs:
                queue.give_back(self._runs.popleft())
            self.row.leave()
        except DatabaseError as error:
            logger.warning("Events could not be given back; their claims will lapse: %s", error)
        finally:
            close_connections()

    # Events that come in.

    def reserve(self) -> bool:
        """Reserve an idle lane for an event that is about to be stored as begun."""
        with self.changed:
            idle = sum(lane.is_idle for lane in self.lanes)
            free = idle - self._reserved - len(self._handed)
            if self.is_stopping or self.gate.is_wanted_alone or free <= 0:
                return False
            self._reserved += 1
            return True

    def hand(self, event: Event | None) -> None:
        """Use a reservation for an event, or return it with None."""
        with self.changed:
            self._reserved -= 1
            if event is not None:
                self._handed.append(event)
            self.changed.notify()

    # What lanes take.

    def next_handed(self) -> Event | None:
        """Return an event that was stored as begun, for a lane to call its receivers."""
        with self.changed:
            return self._handed.popleft() if self._handed else None

    def next_run(self) -> list[Event]:
        """Return events to dispatch one after the other; none if nothing is due."""
        if not self._dispatches:
            return []
        with self.changed:
            if self._runs:
                return self._runs.popleft()
        with self._taking:
            with self.changed:
                if self._runs:
                    return self._runs.popleft()
            if self.is_stopping or not self.pause.is_over:
                return []
            taken = self._taker.take(self._ahead())
            with self.changed:
                self._runs.extend(runs_in_turn(taken))
                if taken:
                    self.pause.end()
                    self.changed.notify_all()
                else:
                    self.pause.begin()
                return self._runs.popleft() if self._runs else []

    def next_plain(self) -> Attempt | None:
        """Return an attempt at a claimed event that may begin with the outcome of another."""
        if conf.current().ORDERED or self.is_stopping or self.gate.is_wanted_alone:
            return None
        with self.changed:
            if not self._runs:
                return None
            attempt = self.attempt(self._runs[0][0])
            if not attempt.is_plain:
                return None
            self._runs.popleft()
            return attempt

    def attempt(self, event: Event, *, is_begun: bool = False, alone: bool = False) -> Attempt:
        """Return an attempt at a claimed event."""
        alone = alone or self.count == 1
        return Attempt(event, is_begun=is_begun, alone=alone, may_call=self.may_call)

    def put_back(self, run: list[Event]) -> None:
        """Put events back that were not begun."""
        with self.changed:
            self._runs.appendleft(run)

    def look_after(self, calling: Calling, *, is_idle: bool) -> bool:
        """Do a little of the upkeep; return whether there was any.

        It is its turn once a second, whatever is due; or at once, if nothing is and there was
        something to do the last time.
        """
        if not (self._upkeep_pause.is_over or (is_idle and self._upkept)):
            return False
        self._upkeep_pause.begin()
        self._upkept = self.upkeep(lambda: self.is_stopping, calling) > 0
        if self._upkept:
            # What was drained is due.
            self.pause.end()
        return self._upkept

    def tried(self, event: Event, seconds: float) -> None:
        """Note that an event was tried, and how long it took."""
        self._pace += (seconds / self.count - self._pace) / 8
        with self.changed:
            self.outcomes[event.status] += 1
            # It may be due again at once, or have kept another one back.
            self.pause.end()

    def _ahead(self) -> int:
        return max(1, min(self._most, int(_AHEAD_SECONDS / max(self._pace, 0.0001))))

    def note_away(self, error: BaseException) -> None:
        """Log that the database is away, once a minute while it is."""
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENT_SECONDS
            logger.warning("The database cannot be used now, and is tried again: %s", error)

    # What lanes are doing.

    @property
    def is_busy(self) -> bool:
        """Whether a lane has something to do, or is to look whether there is something."""
        with self.changed:
            is_to_look = bool(self.lanes) and self.pause.is_over
            return is_to_look or self.has_work or not all(lane.is_idle for lane in self.lanes)

    def may_call(self, path: str) -> bool:
        """Whether one more lane may call this receiver: a slow one leaves a lane to others."""
        stuck = sum(lane.stuck_in == path for lane in self.lanes)
        return stuck < max(1, self.count - 1)

    def claims(self) -> dict[int, int | None]:
        """Return the claims of this process that are to last: by primary key, their tokens."""
        with self.changed:
            waiting = [event for run in self._runs for event in run] + list(self._handed)
            working = [event for lane in self.lanes for event in lane.events if not lane.is_hung]
            return {event.pk: event.claim for event in (*waiting, *working)}
