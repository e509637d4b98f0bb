"""One attempt at an event: begin → call the receivers → conclude.

An attempt begins before the first call, and is concluded in the transaction of the last one.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from django.db import DatabaseError, connections

from .. import conf
from ..models import Event, ReceiverRun, queue, steps
from ..models.history import History, locked
from ..models.joining import join
from ..models.transactions import in_own_transaction
from ..models.updating import run
from ..receivers import Receiver, judged, receivers_of
from ..signals import webhook_tested
from ..wire.logs import get_logger
from .announcing import announce, announce_failed
from .calling import BrokenOff, SessionLost, call, is_broken_off, log_session_lost
from .delays import BROKEN_OFF_SECONDS, HELD_SECONDS, delay
from .failures import deadly
from .recording import nothing, store_failure
from .watching import Calling, Surroundings

logger = get_logger(__name__)

Along = Callable[[], Sequence[steps.Step]]
"""Returns steps to take in the transaction that concludes; called again if it is rolled back."""


class Attempt:
    """One attempt at an event: the receivers that have not succeeded, one after the other.

    A receiver that raises stops no other, and one that succeeded is not called again.

    Args:
        event: an event that this process has claimed.
        surroundings: what else goes on in this process; nothing by default.
    """

    def __init__(self, event: Event, surroundings: Surroundings | None = None) -> None:
        self.event = event
        self._surroundings = surroundings or Surroundings(Calling())
        self._calling = self._surroundings.calling
        self._along: Along = lambda: ()
        self._claim = event.claim
        self._connected = receivers_of(event.name)
        self._suspect = event.alone and not event.begun_at
        self._joining: list[Receiver] = []
        self._has_code = any(receiver.options.has_code for receiver in self._connected)
        self._runs: list[ReceiverRun] = []
        self._held: list[Receiver] = []
        self._step: steps.Step | None = None
        self._reason = ""
        self._has_blamed = False

    @cached_property
    def _calls(self) -> list[Receiver]:
        """Return the receivers to call for the event. Filters may call code of the project."""
        return [receiver for receiver in judged(self.event, self._connected) if receiver.is_called]

    @cached_property
    def _first(self) -> str:
        """Return the path of the first receiver that is called for the event itself, or nothing."""
        return next((call.path for call in self._calls if not call.options.is_gathered), "")

    @property
    def is_plain(self) -> bool:
        """Return whether it is a first attempt that begins with the call of a receiver."""
        is_first = not (self.event.attempts or self.event.deaths or self.event.alone)
        return is_first and not self._has_code and bool(self._first)

    def to_begin(self) -> steps.Step:
        """Return the step that begins a plain attempt, for the transaction of another one."""
        self.forget_begin()
        return steps.begin(self.event, calling=self._first, alone=self._surroundings.alone)

    def forget_begin(self) -> None:
        """Note in the event that it has not begun: the transaction was rolled back."""
        self.event.attempts, self.event.claim, self.event.begun_at = 0, self._claim, None

    def make(self, along: Along = lambda: ()) -> bool:
        """Call the receivers and write down what came of it; return whether it is concluded."""
        self._along = along
        try:
            return self._make()
        except (BrokenOff, DatabaseError) as error:
            if not is_broken_off(error):
                raise
            self._give_back(BROKEN_OFF_SECONDS)
        except KeyboardInterrupt:
            with suppress(DatabaseError):
                self._give_back(0)
            raise
        return False

    def _make(self) -> bool:
        event = self.event
        if not self._connected and event.is_test:
            return self._announce_test()
        if self._has_code and not self._begin(""):
            return False
        self._history = History(event)
        left = [call for call in self._calls if call.path not in self._history.settled]
        gathered = [receiver for receiver in left if receiver.options.is_gathered]
        self._joining = [receiver for receiver in gathered if self._joins(receiver)]
        left = [receiver for receiver in left if receiver not in self._joining]
        if left and event.deaths >= conf.current().MAX_ATTEMPTS:
            left = self._give_up_the_deadly(left)
        now = [receiver for receiver in left if self._surroundings.may_call(receiver.path)]
        self._held = [receiver for receiver in left if receiver not in now]
        self._stays_alone = self._suspect and bool(self._held)
        if not now:
            return self._conclude_without_a_call()
        if not self._begin(now[0].path):
            return False
        return self._call(now)

    def _joins(self, receiver: Receiver) -> bool:
        """Return whether a gathered receiver is called later, together with others of its events.

        A batch that failed, or that ended its process, is called for each event by itself.
        """
        is_suspect = self._suspect or receiver.path in self._history.unsettled
        return not receiver.error and (receiver.options.batch is None or not is_suspect)

    def _begin(self, calling: str) -> bool:
        """Begin the attempt, unless it has begun; return False if the claim is lost."""
        if self.event.begun_at:
            return steps.is_fresh(self.event) or steps.renew(self.event).apply()
        return steps.begin(self.event, calling=calling, alone=self._surroundings.alone).apply()

    def _call(self, receivers: list[Receiver]) -> bool:
        """Call these receivers; the last one's transaction concludes the attempt."""
        try:
            for receiver in receivers:
                self._calling.begin(receiver.path)
                conclude = self._conclude if receiver is receivers[-1] else nothing
                self._runs.append(call(receiver, self.event, conclude=conclude))
        except SessionLost:
            log_session_lost(self._calling.receiver, self.event)
            self.event.claim = self._claim
            steps.lose(self.event, BROKEN_OFF_SECONDS).apply()
            return False
        finally:
            self._calling.end()
        self._announce()
        return True

    def _conclude(self, run: ReceiverRun) -> list[steps.Step]:
        """Return the step that the attempt comes to with this last run, and those along with it."""
        event, runs, alone = self.event, [*self._runs, run], self._stays_alone
        event.claim = self._claim
        returned = self._returned(runs)
        unsettled = [run for run in runs if not run.is_settled]
        if unsettled and self._history.used(event, runs) < conf.current().MAX_ATTEMPTS:
            self._step = steps.postpone(event, delay(event.attempts, unsettled), alone=alone)
        elif self._held:
            self._step = steps.break_off(event, HELD_SECONDS, counts=True, alone=alone)
        elif returned:
            self._step = steps.postpone(event, 0)
        else:
            self._step = self._finish(runs)
            if unsettled:
                self._reason = "no attempt is left"
        return [*self._take_step(self._step), *self._along()]

    def _returned(self, runs: list[ReceiverRun]) -> bool:
        """Return whether a receiver whose gathering was called meanwhile wants the event itself."""
        if not self._history.joined:
            return False
        self._history = locked(self.event)
        later = {receiver.path for receiver in (*self._joining, *self._held)}
        known = self._history.settled | later | {run.receiver for run in runs}
        return any(call.path not in known for call in self._calls)

    def _take_step(self, step: steps.Step) -> list[steps.Step]:
        """Let the event join what it is for, after its step; return the step if it does not."""
        if not self._joining:
            return [step]
        if step.apply():
            join([(self.event, receiver) for receiver in self._joining])
        return []

    def _finish(self, runs: list[ReceiverRun]) -> steps.Step:
        """Return the step that ends the last attempt of an event, with these runs."""
        last = {run.receiver: run.outcome for run in runs}
        last |= {r.path: ReceiverRun.Outcome.JOINED for r in self._joining}
        status, self._reason = self._history.conclusion(last, has_receivers=bool(self._calls))
        return steps.finish(self.event, status)

    def _give_back(self, wait: float) -> None:
        steps.hand_back(self.event, self._claim, wait, counts=bool(self._runs), alone=self._suspect)

    def _conclude_without_a_call(self) -> bool:
        """End an attempt in which no receiver is called."""
        if self._held:
            # No attempt is counted, so nobody could know later what the event has joined.
            self._joining = []
        conclude = partial(self._conclude_at_once, self.event.attempts, self.event.begun_at)
        joins = bool(self._joining or self._history.joined)
        self._step = in_own_transaction(queue.using(), conclude) if joins else conclude()
        self._announce()
        return self._step.applied

    def _conclude_at_once(self, attempts: int, begun_at: Any) -> steps.Step:
        """Take the step that an attempt without a call comes to; again after a rollback."""
        event, alone = self.event, self._stays_alone
        event.claim, event.attempts, event.begun_at = self._claim, attempts, begun_at
        wait = HELD_SECONDS if self._held else 0 if self._returned([]) else None
        step = self._finish([]) if wait is None else steps.postpone(event, wait, alone=alone)
        if begun_at and not self._has_blamed:
            step.uncount()
        run(connections[queue.using()], [*self._take_step(step), *self._along()])
        return step

    def _give_up_the_deadly(self, left: list[Receiver]) -> list[Receiver]:
        """Write a failed run for the receiver that ended its process each time; return the others.

        Runs are stored as calls end, so it is the first that has none in the last attempt.
        """
        event = self.event
        ended = self._history.called(event.attempts - (event.begun_at is not None))
        guilty = next((receiver for receiver in left if receiver.path not in ended), left[0])
        run = ReceiverRun.begin(event, guilty.path, None)
        event.claim = self._claim
        store_failure(run, deadly(event.deaths), lambda run: [steps.forget_deaths(event)])
        self._history.add(run)
        self._has_blamed = True
        logger.warning("Receiver %s is given up for %s: %s", run.receiver, event, run.error)
        return [receiver for receiver in left if receiver is not guilty]

    def _announce_test(self) -> bool:
        """Send ``webhook_tested`` for a test event, which has no receivers."""
        if not self._begin("webhook_tested"):
            return False
        announce(webhook_tested, self.event)
        return steps.finish(self.event, Event.Status.SKIPPED).apply()

    def _announce(self) -> None:
        """Announce that an event has failed for good, if this process wrote that down."""
        step = self._step
        if step and step.applied and step.columns.get("status") == Event.Status.FAILED:
            announce_failed(self.event, f"at attempt {self.event.attempts}: {self._reason}")
