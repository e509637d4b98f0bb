"""Trying the events of a replay: each receiver that the replay is for, until it has succeeded once.

No event is claimed, and none is changed before its receivers have been called. What receivers did
and that they ran is committed call by call; all else is saved for some dozens of events together.
If the process dies before that, these events are tried again, and whoever succeeded is not called.
"""

import time
from collections import Counter
from collections.abc import Iterator

from django.db import DatabaseError, IntegrityError, InterfaceError, router

from . import conf
from .calling import BrokenOff, SessionLost, call, on_a_live_connection, store
from .dispatching import announce
from .exceptions import GiveUp
from .logs import get_logger
from .models import Event, ReceiverRun, Replay, errors, queue
from .models.run import ReceiverRunQuerySet
from .models.updating import Update, update
from .receivers import Verdict
from .signals import calls_for, webhook_tested

logger = get_logger(__name__)

# How many events, and for how long, are saved together. While receivers are slow there are fewer,
# so that little is repeated after a process died, and a replay ends soon after it was cancelled.
TOGETHER = 50
TOGETHER_SECONDS = 0.5

_MENDABLE = (Event.Status.FAILED, Event.Status.HANDLED)


class Calling:
    """The call that a replay is making now."""

    def __init__(self) -> None:
        self.receiver = ""
        """The dotted path of the receiver; empty between two calls."""
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """For how long the call has lasted."""
        return time.monotonic() - self._since if self.receiver else 0.0

    def begin(self, receiver: str) -> None:
        """Note that a call begins."""
        self._since = time.monotonic()
        self.receiver = receiver

    def end(self) -> None:
        """Note that it has ended."""
        self.receiver = ""


class Together:
    """Some events of a replay that are saved together.

    Args:
        keys: their primary keys, in their order.
        planned: the replay, which this process has claimed.
        calling: is kept up to date.
    """

    def __init__(self, keys: list[int], planned: Replay, calling: Calling) -> None:
        self.left = list(keys)
        """Of the events that have not been tried, in their order."""
        self.tried = 0
        self._planned = planned
        self._calling = calling
        self._counts = Counter[str]()
        self._position = planned.position
        self._mended = list[int]()
        on_a_live_connection(self._read)

    def __iter__(self) -> Iterator[Event]:
        """Try one event or more, and yield each, until it is time to save."""
        enough = time.monotonic() + TOGETHER_SECONDS
        while self.left and not (self.tried and time.monotonic() > enough):
            if not self._planned.keep():
                return
            key = self.left[0]
            event = self._events.get(key)
            counts = self._try(event) if event else ()
            self._position = self.left.pop(0)
            self.tried += 1
            self._counts.update(counts)
            if event and counts:
                yield event

    def save(self) -> bool:
        """Save what came of the events; return whether the replay goes on."""
        return on_a_live_connection(self._save)

    def _read(self) -> None:
        self._events = queue.events().in_bulk(self.left)
        self._settled = _runs().filter(replay=self._planned, event__in=self.left).settled_by_event()
        self._latest: dict[int, dict[str, str]] = {}
        if self._planned.only_failed:
            self._latest = _runs().filter(event__in=self.left).latest_by_event()

    def _save(self) -> bool:
        if self._planned.keep():
            self._mend()
        return self._planned.advance(self._position, self._counts)

    def _mend(self) -> None:
        """Note which failed events have succeeded: the last run of each of their receivers did.

        Here and not in the transaction of a call: two replays for two receivers of one event would
        not see each other's success.
        """
        if not self._mended:
            return
        latest = _runs().filter(event__in=self._mended).latest_by_event()
        keys = [
            key
            for key in self._mended
            if all(o == ReceiverRun.Outcome.SUCCEEDED for o in latest.get(key, {}).values())
        ]
        finished = "next_attempt_at IS NULL AND status IN (%s, %s)"
        update(Event, {"status": Event.Status.SUCCEEDED}, keys, finished, _MENDABLE)

    def _try(self, event: Event) -> tuple[str, ...]:
        """Replay one event; return the counters to increase.

        An unfinished event is left to its ordinary dispatch.

        Raises:
            BrokenOff: it is to be tried again, and nobody is at fault.
            DatabaseError: the database is away.
        """
        if not event.is_finished:
            return Replay.BUSY
        key = event.pk
        try:
            return self._call(event)
        except SessionLost:
            logger.warning(
                "The database session ended while receiver %s was called for %s, which is tried"
                " again: the receiver is at fault only if it happens each time",
                self._calling.receiver,
                event,
            )
            raise
        except BrokenOff:
            raise
        except Exception as error:
            if isinstance(error, DatabaseError | InterfaceError) and errors.is_away(error):
                raise
            if isinstance(error, IntegrityError) and not queue.events().filter(pk=key).exists():
                logger.warning("%s was deleted while it was replayed", event)
                return ()
            logger.exception("Unexpected error while replaying %s", event)
            return Replay.FAILED
        finally:
            self._calling.end()

    def _call(self, event: Event) -> tuple[str, ...]:
        """Call the receivers, but for those that were settled before the replay was broken off."""
        if event.is_test:
            if not (self._planned.receivers or self._planned.only_failed):
                announce(webhook_tested, event)
            return Replay.SKIPPED
        calls = [verdict for verdict in calls_for(event) if self._wants(verdict, event)]
        if not calls:
            return Replay.SKIPPED
        outcomes = dict(self._settled.get(event.pk, {}))
        left = [verdict for verdict in calls if verdict.receiver.path not in outcomes]
        if left and not self.tried and self._planned.stalls > conf.current().MAX_ATTEMPTS:
            run = self._give_up_the_deadly(event, left)
            outcomes[run.receiver] = run.outcome
            left = [verdict for verdict in left if verdict.receiver.path != run.receiver]
        for verdict in left:
            self._calling.begin(verdict.receiver.path)
            run = call(verdict, event, self._planned)
            outcomes[run.receiver] = run.outcome
        if any(outcome != ReceiverRun.Outcome.SUCCEEDED for outcome in outcomes.values()):
            return Replay.FAILED
        if event.status in _MENDABLE:
            self._mended.append(event.pk)
        return Replay.SUCCEEDED

    def _wants(self, verdict: Verdict, event: Event) -> bool:
        """Whether the replay is for this receiver of an event."""
        path = verdict.receiver.path
        if not self._planned.concerns(path):
            return False
        if not self._planned.only_failed or path in self._settled.get(event.pk, {}):
            return True
        last = self._latest.get(event.pk, {}).get(path)
        return last is not None and last != ReceiverRun.Outcome.SUCCEEDED

    def _give_up_the_deadly(self, event: Event, left: list[Verdict]) -> ReceiverRun:
        """Write a failed run for the receiver in whose call the process died each time.

        Runs are stored as calls end, so it is the first of those with the fewest runs.
        """
        paths = _runs().filter(replay=self._planned, event=event).values_list("receiver", flat=True)
        ended = Counter(paths)
        deadly = min((verdict.receiver.path for verdict in left), key=lambda path: ended[path])
        run = ReceiverRun.begin(event, deadly, self._planned)
        run.fail(
            GiveUp(
                f"{self._planned} was broken off {self._planned.stalls} times here. Look for what"
                " ends processes or database sessions: memory, crashes of extensions, os._exit()."
            )
        )

        def pardon(run: ReceiverRun) -> list[Update]:
            self._planned.note_stalls(0)
            return []

        store(run, pardon)
        logger.error("Receiver %s is given up for %s: %s", run.receiver, event, run.error)
        return run


def _runs() -> ReceiverRunQuerySet:
    return ReceiverRun.objects.using(router.db_for_write(ReceiverRun))
