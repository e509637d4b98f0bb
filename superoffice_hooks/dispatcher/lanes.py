"""Lanes: the threads of a process that dispatch, and what they share.

Events are claimed for all lanes in one statement.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from django.db import DatabaseError

from .. import conf
from ..dispatching.attempts import Attempt
from ..dispatching.watching import Surroundings
from ..models import Dispatcher, Event, Gathering
from ..models.queued import Queued
from ..wire.logs import get_logger
from .away import Away, close_connections
from .claimed import Claimed, tokens
from .gate import Gate, Pause
from .gather import count
from .lane import Lane
from .upkeep import Upkeep

logger = get_logger(__name__)

_MAX_AHEAD = 50


class Lanes:
    """The dispatcher of a process.

    Args:
        kind: where it runs.
        lanes: how many threads call receivers.
        limit: the maximum number of events claimed at a time.
        longest_pause: seconds between two looks when nothing was due for a while.
        dispatches: whether lanes dispatch and replay, or only drain the spool.
        is_seen: whether it keeps a row alive, which says that it dispatches.
        ends_when_idle: whether lanes end when nothing is due, and are started anew by ``wake``.
    """

    def __init__(
        self,
        kind: Dispatcher.Kind,
        lanes: int,
        *,
        limit: int = _MAX_AHEAD,
        longest_pause: float = 5.0,
        dispatches: bool = True,
        is_seen: bool = False,
        ends_when_idle: bool = False,
    ) -> None:
        self.count = lanes
        self.row = Dispatcher.of_this_process(kind, lanes)
        self.outcomes = Counter[str]()
        """What became of the events, by their status."""
        self.gate = Gate()
        self.lanes: list[Lane] = []
        self.pause = Pause(0.25, longest_pause)
        self.changed = threading.Condition()
        row = self.row if is_seen else None
        self.upkeep = Upkeep(self.gate, row, replays=dispatches)
        self._dispatches = dispatches
        self.ends_when_idle = ends_when_idle
        self._claimed = Claimed(limit)
        self._reserved = 0
        self._taking = threading.Lock()
        self.is_stopping = False
        """Whether the lanes are to end."""
        self.away = Away()

    def start(self) -> None:
        """Start a thread for each lane that is not there."""
        for _ in range(self.count - len(self.lanes)):
            self.add_lane()

    def add_lane(self) -> None:
        """Start one more lane."""
        lane = Lane(self)
        self.lanes.append(lane)
        lane.start()

    @property
    def has_work(self) -> bool:
        """Return whether there are events that a lane can begin with at once."""
        return bool(self._claimed)

    def wake(self) -> None:
        """Let the lanes look at once: something may be due."""
        with self.changed:
            self.pause.end()
            self.upkeep.pause.end()
            self.changed.notify()
            if self.ends_when_idle:
                self.start()

    def may_end(self, lane: Lane) -> bool:
        """Return whether a lane ends now: it has nothing to do, and lanes end when idle."""
        with self.changed:
            is_needed = self.pause.is_over or self.has_work or self._reserved
            ends = self.ends_when_idle and not is_needed
            if ends:
                self.lanes.remove(lane)
            return ends

    def tell_to_stop(self) -> None:
        """Let the lanes end, each after the receiver that it calls; for signal handlers."""
        self.is_stopping = True

    def stop(self, seconds: float) -> None:
        """Let the receivers that are being called finish, and give the rest back."""
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
            self._claimed.give_back()
            self.row.note_end()
        except DatabaseError as error:
            logger.warning("Events could not be given back; their claims will lapse: %s", error)
        finally:
            close_connections()

    def reserve(self) -> bool:
        """Reserve an idle lane for an event that is about to be stored as begun."""
        with self.changed:
            idle = sum(lane.is_idle for lane in self.lanes)
            free = idle - self._reserved - len(self._claimed.handed)
            if self.is_stopping or self.gate.wanted_alone or free <= 0:
                return False
            self._reserved += 1
            return True

    def hand(self, event: Event | None) -> None:
        """Use a reservation for an event, or return it with None."""
        with self.changed:
            self._reserved -= 1
            if event is not None:
                self._claimed.handed.append(event)
            self.changed.notify()

    def next_handed(self) -> Event | None:
        """Return an event that was stored as begun, for a lane to call its receivers."""
        with self.changed:
            return self._claimed.handed.popleft() if self._claimed.handed else None

    def next_sequence(self) -> list[Event]:
        """Return events to dispatch one after the other; none if no event is due."""
        if not self._dispatches:
            return []
        sequences = self._claimed.sequences
        with self.changed:
            if sequences:
                return sequences.popleft()
        with self._taking:
            while not (self.is_stopping or self._claimed.is_to_begin) and self.pause.is_over:
                if not self._look():
                    break
            with self.changed:
                return sequences.popleft() if sequences else []

    def _look(self) -> bool:
        """Claim what is due; return whether events have joined, which may have filled a batch."""
        # Before the look, or it would undo a call of ``wake`` for what is stored meanwhile.
        self.pause.begin()
        sequences, joined = self._claimed.take()
        with self.changed:
            self._claimed.sequences.extend(sequences)
            if joined:
                self.outcomes[Event.Status.WAITING] += joined
            if sequences or self._claimed.gatherings or joined:
                self.pause.end()
                self.changed.notify_all()
        return joined > 0

    def next_gathering(self) -> Gathering | None:
        """Return a gathering that was claimed, for a lane to call its receiver."""
        with self.changed:
            return self._claimed.gatherings.popleft() if self._claimed.gatherings else None

    def next_plain(self, surroundings: Surroundings) -> Attempt | None:
        """Return an attempt at a claimed event that may begin with the outcome of another."""
        if conf.current().ORDERED or self.is_stopping or self.gate.wanted_alone:
            return None
        with self.changed:
            if not self._claimed.sequences:
                return None
            attempt = Attempt(self._claimed.sequences[0][0], surroundings)
            if not attempt.is_plain:
                return None
            self._claimed.sequences.popleft()
            return attempt

    def put_back(self, sequence: list[Event]) -> None:
        """Put events back that were not begun."""
        with self.changed:
            self._claimed.sequences.appendleft(sequence)

    def tried(self, event: Event, seconds: float) -> None:
        """Note that an event was tried, and how long it took."""
        self._claimed.pace[Event].note(seconds / self.count)
        with self.changed:
            self.outcomes[event.status] += 1
            # It may be due again at once, or have kept another one back.
            self.pause.end()

    def called(self, outcomes: Mapping[str, Sequence[int]], seconds: float) -> None:
        """Note what became of the events of a gathering, and how long its call took."""
        self._claimed.pace[Gathering].note(seconds / self.count)
        with self.changed:
            count(self.outcomes, outcomes)
            self.pause.end()

    @property
    def is_busy(self) -> bool:
        """Return whether a lane has something to do, or is to look whether there is something."""
        with self.changed:
            is_to_look = bool(self.lanes) and self.pause.is_over
            return is_to_look or self.has_work or not all(lane.is_idle for lane in self.lanes)

    def may_call(self, path: str) -> bool:
        """Return whether one more lane may call this receiver: a slow one leaves one lane free."""
        calls = [lane.calling for lane in self.lanes]
        stuck = sum(calling.receiver == path and calling.is_stuck for calling in calls)
        return stuck < max(1, self.count - 1)

    def claims(self) -> Mapping[type[Queued], dict[int, int | None]]:
        """Return the claims of this process that are to last; see ``tokens``."""
        with self.changed:
            calling = [lane for lane in self.lanes if not lane.calling.is_hung]
            working = [row for lane in calling for row in lane.rows]
            return tokens([*self._claimed.rows(), *working])
