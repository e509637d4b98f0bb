"""One call of a receiver for all events that have joined its gathering.

What the receiver did, the outcomes of the events' runs, the events and the gathering are committed
together. With ``settle`` a failure is one of all events, which are tried again with those that have
joined meanwhile. With ``batch`` they are halved until the one that fails stands alone.
"""

from contextlib import suppress
from functools import partial

from django.db import DatabaseError, connections

from .. import conf
from ..exceptions import GiveUp, RetryLater
from ..models import Event, Gathering, ReceiverRun, members, queue, steps
from ..models.members import Members
from ..models.transactions import in_own_transaction, reads_committed
from ..models.updating import update
from ..receivers import Receiver, connected
from ..wire.logs import get_logger
from .calling import BrokenOff, SessionLost, call, is_broken_off, log_session_lost
from .concluding import ClaimLost, Conclusion
from .delays import BROKEN_OFF_SECONDS, HELD_SECONDS, delay
from .failures import deadly
from .recording import Conclude, store_failure
from .together import Together
from .watching import Calling, Surroundings

logger = get_logger(__name__)


class _Halve(BrokenOff):
    """A batch failed, and nobody knows yet because of which event."""


class GatheredCall:
    """One attempt at a gathering.

    Args:
        gathering: one that this process has claimed.
        surroundings: what else goes on in this process; nothing by default.
    """

    def __init__(self, gathering: Gathering, surroundings: Surroundings | None = None) -> None:
        self.gathering = gathering
        self._surroundings = surroundings or Surroundings(Calling())
        self._calling = self._surroundings.calling
        self._claim, self._attempts = gathering.claim, gathering.attempts
        self._was_alone = gathering.alone
        self._path: str = gathering.receiver
        self._receivers = [r for r in connected() if r.path == self._path and self._fits(r)]
        self._batch = self._receivers[0].options.batch if self._receivers else None
        self._conclusion = Conclusion(gathering, self._batch)

    def make(self) -> bool:
        """Call the receiver and write down what came of it; return whether it is concluded."""
        gathering = self.gathering
        try:
            return self._make()
        except ClaimLost:
            logger.warning("Another process has %s, so what was done is undone", gathering)
        except SessionLost:
            log_session_lost(self._path, gathering)
            gathering.claim = self._claim
            steps.lose(gathering, BROKEN_OFF_SECONDS).apply()
        except (BrokenOff, DatabaseError) as error:
            if not is_broken_off(error):
                raise
            logger.warning("The call for %s is repeated: %s", gathering, error.__cause__ or error)
            self._give_back(BROKEN_OFF_SECONDS)
        except KeyboardInterrupt:
            with suppress(DatabaseError):
                self._give_back(0)
            raise
        finally:
            self._calling.end()
            self._conclusion.announce_failed()
        return False

    @property
    def outcomes(self) -> dict[str, list[int]]:
        """Return the events that it finished, by primary key, and by their status."""
        return self._conclusion.outcomes

    def _make(self) -> bool:
        gathering = self.gathering
        if gathering.is_batch and gathering.alone and self._receivers:
            return self._return_to_queue(
                "The process ended while it was called for several events, so it is called for"
                " each by itself.",
                alone=True,
            )
        if not self._receivers and any(r.path == self._path for r in connected()):
            return self._return_to_queue("It is called for each event by itself now.")
        if self._receivers and not self._surroundings.may_call(self._path):
            return steps.postpone(gathering, HELD_SECONDS, alone=self._was_alone).apply()
        joined = self._begin()
        return joined is not None and self._work(joined)

    def _fits(self, receiver: Receiver) -> bool:
        """Return whether a receiver is still connected with what the gathering is for."""
        options = receiver.options
        return bool(options.batch if self.gathering.is_batch else options.settle)

    def _begin(self) -> Members | None:
        """Begin the call; return the events that it is for, or None if the claim is lost."""
        parts = in_own_transaction(queue.using(), self._store_begin)
        if parts is None:
            return None
        joined, called = parts
        if len(called):
            self._conclusion.note_earlier(called)
        return joined

    def _store_begin(self) -> tuple[Members, Members] | None:
        gathering, alone = self.gathering, self._surroundings.alone
        # Also if it is repeated, because the transaction was rolled back.
        gathering.claim, gathering.attempts = self._claim, self._attempts
        if not steps.begin(gathering, calling=self._path, alone=alone).apply():
            return None
        limit = self._batch or members.MAX_MEMBERS
        joined, called = members.read(gathering, limit)
        runs = [*joined.runs.values(), *called.runs.values()]
        columns = {"frozen_to": max(runs, default=0)}
        if len(runs) < limit:
            # Events that were deleted since they joined do not count.
            columns["events"] = len(runs)
        update(Gathering, columns, [gathering.pk])
        return joined, called

    def _work(self, joined: Members) -> bool:
        gathering = self.gathering
        if not len(joined):
            return self._conclusion.note_gone(0, is_last=True)
        if not self._receivers:
            return self._miss(joined)
        if gathering.deaths >= conf.current().MAX_ATTEMPTS:
            self._fail(joined, deadly(gathering.deaths))
            return True
        parts: list[tuple[Members, BaseException | None]] = [(joined, None)]
        while parts:
            part, error = parts.pop()
            self._conclusion.is_last = not parts
            try:
                self._call(part, error)
            except _Halve:
                events = list(part.runs)
                half = len(events) // 2
                parts += [(part.only(events[half:]), None), (part.only(events[:half]), None)]
                continue
            parts += [(part.only([event]), error) for event, error in part.errors.items()]
            self._conclusion.note_finished()
        return True

    def _call(self, part: Members, error: BaseException | None) -> None:
        """Call the receiver for a part of the events; or, if one has failed, write that down."""
        together = Together(self._path, self._receivers, part.runs, is_lazy=self._batch is None)
        newest, receiver = together.newest, together.receiver
        if newest is None:
            self._conclusion.note_gone(len(part), is_last=self._conclusion.is_last)
            return
        part.newest = newest.pk
        part.is_single = self._batch is not None and len(part) == 1
        atomic = receiver.options.atomic
        part.is_concluded = not atomic or reads_committed(connections[queue.using()])
        conclude = partial(self._conclusion.conclude, part)
        if error is not None:
            store_failure(self._run(part, newest), error, conclude)
            return
        self._calling.begin(self._path)
        halves = self._batch is not None and not part.is_single
        call(
            receiver,
            newest,
            conclude=conclude,
            run=self._run(part, newest),
            events=together.events,
            fail=self._fail_batch if halves else store_failure,
        )

    def _run(self, part: Members, newest: Event) -> ReceiverRun:
        run = ReceiverRun.begin(newest, self._path, None)
        run.members, run.attempt = part, self.gathering.attempts
        return run

    def _fail_batch(
        self, run: ReceiverRun, error: BaseException, conclude: Conclude
    ) -> ReceiverRun:
        """Have a batch that failed halved; or tried again whole, if the receiver wants to wait."""
        is_left = self.gathering.attempts < conf.current().MAX_ATTEMPTS
        if isinstance(error, RetryLater) and self._conclusion.is_last and is_left:
            return store_failure(run, error, conclude)
        raise _Halve from error

    def _fail(self, joined: Members, error: BaseException) -> None:
        """Let all events fail for good, without a call."""
        newest = queue.events().filter(pk__in=list(joined.runs)).newest_first().first()
        if newest is None:
            self._conclusion.note_gone(len(joined), is_last=True)
            return
        joined.newest = newest.pk
        run = self._run(joined, newest)
        store_failure(run, error, partial(self._conclusion.conclude, joined))
        logger.warning("Receiver %s is given up for %s: %s", self._path, self.gathering, run.error)
        self._conclusion.note_finished()

    def _miss(self, joined: Members) -> bool:
        """Put the call off as after a failure: the receiver is not connected.

        While a new version is deployed, another process may have it.
        """
        gathering = self.gathering
        logger.warning("No receiver is connected as %s, and %s waits", self._path, gathering)
        if gathering.attempts >= conf.current().MAX_ATTEMPTS:
            self._fail(joined, GiveUp(f"No receiver is connected as {self._path} any more."))
            return True
        seconds = delay(gathering.attempts, [])
        return steps.postpone(gathering, seconds, alone=self._was_alone).apply()

    def _return_to_queue(self, reason: str, *, alone: bool = False) -> bool:
        """Have the receiver called for each event by itself."""
        gathering = self.gathering
        joined = members.read(gathering, members.MAX_MEMBERS)[0]
        if alone:
            joined = joined.up_to(gathering.frozen_to)

        def store() -> None:
            joined.return_to_queue(reason, alone=alone)
            self._conclusion.note_called(joined, is_last=True)

        in_own_transaction(queue.using(), store)
        return True

    def _give_back(self, seconds: float) -> None:
        steps.hand_back(self.gathering, self._claim, seconds, alone=self._was_alone)
