"""Dispatching: begin → call the receivers → conclude.

An attempt begins before the first call and is concluded in the transaction of the last one, so a
dispatch costs one commit, or two if nobody began it along with the outcome before.
"""

import random
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain
from typing import Any

from django.db import DatabaseError
from django.dispatch import Signal

from . import conf
from .calling import ENDS_THE_PROCESS, BrokenOff, SessionLost, call, store
from .exceptions import GiveUp
from .logs import get_logger
from .models import Event, ReceiverRun, queue
from .models.history import History
from .models.taking import take
from .models.turns import next_in_turn, park, runs_in_turn
from .receivers import Verdict
from .signals import calls_for, event_failed, listening, webhook_tested

logger = get_logger(__name__)

Along = Callable[[], Sequence[queue.Step]]
"""Returns steps of other events; called again if their transaction was rolled back."""

LONGEST_DELAY = 10 * 365 * 24 * 3600.0
"""No attempt is put off for longer, in seconds: databases end in the year 9999."""

_BROKEN_OFF_SECONDS = 1.0
"""After how long an attempt is made again that a lost session broke off."""

_HELD_SECONDS = 5.0
"""After how long an event is looked at again whose receiver was not to be called."""


def dispatch_due(most: int) -> Generator[Event, None, None]:
    """Dispatch what is due in this thread, until nothing is.

    Yields each event once it has been tried. ``most`` events are claimed at a time; closing the
    generator gives back those that were not begun.
    """
    while taken := take(most):
        runs = runs_in_turn(taken)
        try:
            while runs:
                event = runs[0].pop(0)
                if dispatch(event) and runs[0] and not event.is_finished:
                    park(runs[0])
                    runs[0] = []
                if not runs[0]:
                    runs.pop(0)
                    next_in_turn(event)
                yield event
        finally:
            queue.give_back(event for run in runs for event in run)


def dispatch_now(event: Event) -> None:
    """Dispatch one event in this thread, if it is due, and what waited for it; never raises."""
    keys = [event.pk]
    try:
        while taken := take(len(keys), keys=keys):
            keys = []
            for each in chain.from_iterable(runs_in_turn(taken)):
                dispatch(each)
                keys = next_in_turn(each)
    except Exception:
        logger.exception("Unexpected error while dispatching %s", event)


def dispatch(event: Event, **options: Any) -> bool:
    """Make one attempt at an event that this process has claimed; see ``Attempt``.

    Returns whether it was concluded: False if the claim was lost, or the attempt was broken off.
    """
    try:
        return Attempt(event, **options).make()
    except Exception:
        logger.exception("Unexpected error while dispatching %s", event)
        return False


class Attempt:
    """One attempt at an event: the receivers that have not succeeded, one after the other.

    A receiver that raises stops no other, and one that succeeded is not called again.

    Args:
        event: an event that this process has claimed.
        is_begun: whether the attempt is written down as begun already.
        alone: whether this process calls nothing else meanwhile.
        may_call: whether a receiver, by its dotted path, may be called now. The event waits some
            seconds for one that may not.
    """

    def __init__(
        self,
        event: Event,
        *,
        is_begun: bool = False,
        alone: bool = True,
        may_call: Callable[[str], bool] = lambda path: True,
    ) -> None:
        self.event = event
        self.calling = ""
        """The dotted path of the receiver that is being called."""
        self._called_at = 0.0
        self.is_begun = is_begun
        self._alone = alone
        self._may_call = may_call
        self._along: Along = lambda: ()
        self._claim = event.claim
        self._listening = list(listening(event.name))
        self._runs: list[ReceiverRun] = []
        self._held: list[Verdict] = []
        self._step: queue.Step | None = None
        self._reason = ""

    @property
    def called_for(self) -> float:
        """For how many seconds the receiver has been called that is being called; 0 if none is."""
        return time.monotonic() - self._called_at if self.calling else 0.0

    @cached_property
    def _calls(self) -> list[Verdict]:
        """The receivers that the event is for. Filters may call code of the project."""
        return calls_for(self.event, self._listening)

    @property
    def _asks_code(self) -> bool:
        """Whether a filter calls code of the project, so that the attempt has to begin before."""
        return any(callable(receiver.options.fields) for receiver in self._listening)

    @property
    def is_plain(self) -> bool:
        """Whether it is a first attempt that begins with the call of a receiver."""
        event = self.event
        if event.attempts or event.deaths or event.alone or event.is_test or self._asks_code:
            return False
        return bool(self._calls)

    def to_begin(self) -> queue.Step:
        """Return the step that begins a plain attempt, for the transaction of another one."""
        self.event.attempts, self.event.claim = 0, self._claim
        path = self._calls[0].receiver.path
        return queue.to_begin(self.event, calling=path, alone=self._alone)

    def forget_begin(self) -> None:
        """Take the step back that began it: its transaction was rolled back."""
        self.event.attempts, self.event.claim, self.event.begun_at = 0, self._claim, None

    def make(self, along: Along = lambda: ()) -> bool:
        """Call the receivers and write down what came of it; return whether it is concluded.

        ``along`` returns steps to be taken in the transaction that concludes it.
        """
        event = self.event
        self._along = along
        if event.is_test:
            return self._announce_test()
        if self._asks_code and not self._begin(""):
            return False
        calls = self._calls
        self._history = History.of(event, is_begun=self.is_begun)
        self._receivers = {verdict.receiver.path for verdict in calls}
        settled = self._history.settled
        left = [call for call in calls if call.receiver.path not in settled]
        if left and event.deaths >= conf.current().MAX_ATTEMPTS:
            left = self._give_up_the_deadly(left)
        now = [verdict for verdict in left if self._may_call(verdict.receiver.path)]
        self._held = [verdict for verdict in left if verdict not in now]
        if not now:
            return self._conclude_without_a_call()
        if not self._begin(now[0].receiver.path):
            return False
        return self._call(now)

    def _begin(self, calling: str) -> bool:
        """Begin the attempt, unless it is; return False if the claim is lost."""
        if not self.is_begun:
            self.is_begun = queue.begin(self.event, calling=calling, alone=self._alone)
        return self.is_begun

    def _call(self, verdicts: list[Verdict]) -> bool:
        """Call these receivers; the last one's transaction concludes the attempt."""
        last = verdicts[-1]
        try:
            for verdict in verdicts:
                self._called_at = time.monotonic()
                self.calling = verdict.receiver.path
                if verdict is last:
                    run = call(verdict, self.event, conclude=self._conclude)
                else:
                    run = call(verdict, self.event)
                self._runs.append(run)
        except SessionLost:
            logger.warning(
                "The database session ended while receiver %s was called for %s, which is tried"
                " again: %s is at fault only if it happens each time",
                self.calling,
                self.event,
                self.calling,
            )
            self.event.claim = self._claim
            queue.lose(self.event, _BROKEN_OFF_SECONDS)
            return False
        except BrokenOff:
            self._give_back()
            return False
        except ENDS_THE_PROCESS:
            with suppress(DatabaseError):
                self._give_back()
            raise
        finally:
            self.calling = ""
        self._announce()
        return True

    def _conclude(self, run: ReceiverRun) -> list[queue.Step]:
        """Return the step that the attempt comes to with this last run, and those along with it."""
        event = self.event
        event.claim = self._claim
        runs = [*self._runs, run]
        unsettled = [run for run in runs if not run.is_settled]
        if unsettled and self._history.used(event, runs) < conf.current().MAX_ATTEMPTS:
            self._step = queue.to_postpone(event, delay(event.attempts, unsettled))
        elif self._held:
            self._step = queue.to_give_back_begun(event, _HELD_SECONDS, counts=True)
        else:
            status = self._history.status(self._receivers, runs)
            self._step = queue.to_finish(event, status)
            self._reason = "no attempt is left" if unsettled else self._history.reason(runs)
        return [self._step, *self._along()]

    def _give_back(self) -> None:
        self.event.claim = self._claim
        queue.give_back_begun(self.event, 0, counts=bool(self._runs))

    def _conclude_without_a_call(self) -> bool:
        """End an attempt in which no receiver is called."""
        if self._held:
            to_end = queue.to_give_back_begun if self.is_begun else queue.to_postpone
            self._step = to_end(self.event, _HELD_SECONDS)
        else:
            self._step = queue.to_finish(self.event, self._history.status(self._receivers, []))
            self._reason = self._history.reason([])
        queue.apply(self._step, *self._along())
        self._announce()
        return self._step.applied

    def _give_up_the_deadly(self, left: list[Verdict]) -> list[Verdict]:
        """Write a failed run for the receiver that ended its process each time; return the others.

        Runs are stored as calls end, so it is the first that has none in the last attempt.
        """
        event = self.event
        ended = self._history.called(event.attempts - self.is_begun)
        deadly = next((v for v in left if v.receiver.path not in ended), left[0])
        run = ReceiverRun.begin(event, deadly.receiver.path, None)
        run.fail(
            GiveUp(
                f"The process that called it ended {event.deaths} times during the call."
                " Look for what ends processes: memory, crashes of extensions, os._exit()."
            )
        )
        event.claim = self._claim
        store(run, lambda run: [queue.to_pardon(event)])
        self._history.add(run)
        logger.error("Receiver %s is given up for %s: %s", run.receiver, event, run.error)
        return [verdict for verdict in left if verdict is not deadly]

    def _announce_test(self) -> bool:
        """Tell the listeners of a test event, which is for no receiver."""
        if not self._begin("webhook_tested"):
            return False
        announce(webhook_tested, self.event)
        return queue.finish(self.event, Event.Status.SKIPPED)

    def _announce(self) -> None:
        """Say that an event has failed for good, if it has and this process wrote it down."""
        step = self._step
        if step and step.applied and step.columns.get("status") == Event.Status.FAILED:
            logger.error(
                "%s failed for good after %d attempts: %s",
                self.event,
                self.event.attempts,
                self._reason,
            )
            announce(event_failed, self.event)


def delay(attempts: int, unsettled: Iterable[ReceiverRun]) -> float:
    """Return in how many seconds all unsettled receivers may be called again.

    A little more at random, so that what failed together does not come back together.
    """
    delays = conf.current().RETRY_DELAYS
    usual = delays[min(attempts, len(delays)) - 1]
    longest = max(usual if run.retry_after is None else run.retry_after for run in unsettled)
    # No secret: it only spreads the load.
    return min(longest * random.uniform(1, 1.1), LONGEST_DELAY)  # noqa: S311


def announce(signal: Signal, event: Event) -> None:
    """Send a plain signal; nothing is recorded of it, and errors are logged."""
    try:
        for receiver, error in signal.send_robust(sender=Event, event=event):
            if isinstance(error, Exception):
                logger.error("%r raised for %s", receiver, event, exc_info=error)
    except ENDS_THE_PROCESS:
        raise
    # Django catches no SystemExit and no cancellation.
    except BaseException as error:
        logger.error("A receiver of %r raised for %s", signal, event, exc_info=error)  # noqa: TRY400
