"""A batch of a replay: call the receivers of some events, and save the progress once for all.

No event is claimed, and none is changed before its receivers have been called. A call and its run
are committed together, as in a dispatch. If the process dies before the batch is saved, its events
are tried again, without the receivers that have succeeded in this replay.
"""

import time
from collections import Counter
from collections.abc import Iterator

from django.db import DatabaseError, InterfaceError

from .. import conf
from ..dispatching.announcing import announce
from ..dispatching.calling import BrokenOff, Deleted, SessionLost, call, log_session_lost
from ..dispatching.recording import on_a_live_connection, store_failure
from ..dispatching.watching import Calling
from ..exceptions import GiveUp
from ..models import Event, ReceiverRun, Replay, errors, queue
from ..models.updating import Update, update
from ..receivers import Receiver, calls_for
from ..signals import webhook_tested
from ..wire.log_fields import about
from ..wire.logs import get_logger
from .newest import Newest
from .past import Past, runs

logger = get_logger(__name__)

MAX_EVENTS = 50
"""The number of events in a batch."""
MAX_SECONDS = 0.5
"""A batch ends after so many seconds. So not much is repeated after a process died, and a replay
that was cancelled ends soon, even if receivers are slow."""

_FAILED = (Event.Status.FAILED, Event.Status.HANDLED)


class ReplayBatch:
    """Some events of a replay, whose progress is saved together.

    Args:
        keys: their primary keys, in the order of the replay.
        planned: the replay, which this process has claimed.
        newest: chooses the newest events, if the replay is for these alone.
        calling: shows which call is running.
        seconds: after how many the batch ends; it tries at least one event.
    """

    def __init__(
        self, keys: list[int], planned: Replay, newest: Newest, calling: Calling, seconds: float
    ) -> None:
        self.left = list(keys)
        """The primary keys of the events that have not been tried, in order."""
        self.tried = 0
        self._planned = planned
        self._newest = newest
        self._calling = calling
        self._seconds = seconds
        self._counts = Counter[str]()
        self._position = planned.position
        self._to_mark = list[int]()
        on_a_live_connection(self._read)

    def __iter__(self) -> Iterator[Event]:
        """Try events, at least one, and yield each, until the batch ends."""
        enough = time.monotonic() + self._seconds
        while self.left and not (self.tried and time.monotonic() > enough):
            if not self._planned.keep():
                return
            key = self.left[0]
            event = self._events.get(key)
            with about(event=event, replay=self._planned.pk):
                counts = self._try(event) if event else ()
            self._position = self.left.pop(0)
            self.tried += 1
            self._counts.update(counts)
            if event and counts:
                yield event

    def save(self) -> bool:
        """Save the counts and the position; return whether the replay is to go on."""
        return on_a_live_connection(self._save)

    def _read(self) -> None:
        self._events = queue.events().in_bulk(self.left)
        self._past = Past(self._planned, self.left)
        self._chosen: dict[int, set[str]] = {}
        if self._planned.only_newest:
            self._chosen = self._newest.choose(self._events.values(), self._past)

    def _save(self) -> bool:
        if self._planned.keep():
            self._mark_succeeded()
        return self._planned.advance(self._position, self._counts)

    def _mark_succeeded(self) -> None:
        """Mark failed events as succeeded if the last run of each of their receivers succeeded.

        The transaction of a call would be too early. There, two replays for two receivers of one
        event would not see each other's success.
        """
        if not self._to_mark:
            return
        latest = runs().filter(event__in=self._to_mark).latest_by_event()
        keys = [
            key
            for key in self._to_mark
            if all(o == ReceiverRun.Outcome.SUCCEEDED for o in latest.get(key, {}).values())
        ]
        finished = "next_attempt_at IS NULL AND status IN (%s, %s)"
        update(Event, {"status": Event.Status.SUCCEEDED}, keys, finished, _FAILED)

    def _try(self, event: Event) -> tuple[str, ...]:
        """Replay one event; return the counters to increase.

        An unfinished event is not replayed: it is dispatched anyway.

        Raises:
            BrokenOff: the event has to be tried again; no receiver is at fault.
            DatabaseError: the database is away.
        """
        if not event.is_finished:
            return Replay.BUSY
        try:
            return self._call(event)
        except Deleted:
            return ()
        except SessionLost:
            log_session_lost(self._calling.receiver, event)
            raise
        except BrokenOff:
            raise
        except Exception as error:
            if isinstance(error, DatabaseError | InterfaceError) and errors.is_away(error):
                raise
            logger.exception("Unexpected error while replaying %s", event)
            return Replay.FAILED
        finally:
            self._calling.end()

    def _call(self, event: Event) -> tuple[str, ...]:
        """Call the receivers of an event that need a call in this replay."""
        if event.is_test:
            if self._planned.receivers is None and not self._planned.only_failed:
                announce(webhook_tested, event)
            return Replay.SKIPPED
        calls = [receiver for receiver in calls_for(event) if self._wants(receiver, event)]
        if not calls:
            return Replay.SKIPPED
        outcomes = dict(self._past.settled(event.pk))
        left = [receiver for receiver in calls if receiver.path not in outcomes]
        if left and not self.tried and self._planned.stalls > conf.current().MAX_ATTEMPTS:
            run = self._give_up(event, left)
            outcomes[run.receiver] = run.outcome
            left = [receiver for receiver in left if receiver.path != run.receiver]
        for receiver in left:
            self._calling.begin(receiver.path)
            run = call(receiver, event, self._planned)
            outcomes[run.receiver] = run.outcome
        if any(outcome != ReceiverRun.Outcome.SUCCEEDED for outcome in outcomes.values()):
            return Replay.FAILED
        if event.status in _FAILED:
            self._to_mark.append(event.pk)
        return Replay.SUCCEEDED

    def _wants(self, receiver: Receiver, event: Event) -> bool:
        """Return whether the replay is to call this receiver for an event."""
        if self._planned.only_newest and receiver.path not in self._chosen[event.pk]:
            return False
        return self._past.wants(receiver.path, event.pk)

    def _give_up(self, event: Event, left: list[Receiver]) -> ReceiverRun:
        """Store a failed run for the receiver in whose call the process died each time.

        That is the first receiver with the lowest number of runs, because a run is stored when its
        call ends.
        """
        paths = runs().filter(replay=self._planned, event=event).values_list("receiver", flat=True)
        ended = Counter(paths)
        path = min((receiver.path for receiver in left), key=lambda path: ended[path])
        run = ReceiverRun.begin(event, path, self._planned)
        error = GiveUp(
            f"{self._planned} was broken off {self._planned.stalls} times here. Look for what"
            " ends processes or database sessions: memory, crashes of extensions, os._exit()."
        )

        def reset_stalls(run: ReceiverRun) -> list[Update]:
            self._planned.note_stalls(0)
            return []

        store_failure(run, error, reset_stalls)
        logger.warning("Gave up receiver %s for %s: %s", run.receiver, event, run.error)
        return run
