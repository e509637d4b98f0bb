"""Dispatching: begin → call the receivers → conclude.

An attempt begins before the first call and is concluded in the transaction of the last one, so a
dispatch costs one commit, or two if nobody began it along with the outcome before.
"""

import logging
import random
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

from django.db import DatabaseError
from django.dispatch import Signal

from . import conf
from .calling import ENDS_THE_PROCESS, BrokenOff, SessionLost, call, store
from .exceptions import GiveUp
from .models import Event, ReceiverRun, queue
from .models.history import History
from .models.taking import take
from .models.turns import next_in_turn, park, runs_in_turn
from .receivers import Verdict
from .signals import calls_for, event_failed, receivers_of, webhook_tested

logger = logging.getLogger(__name__)

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
        along: called in the transaction that concludes the attempt.
    """

    def __init__(
        self,
        event: Event,
        *,
        is_begun: bool = False,
        alone: bool = True,
        may_call: Callable[[str], bool] = lambda path: True,
        along: Callable[[], None] = lambda: None,
    ) -> None:
        self.event = event
        self.calling = ""
        """The dotted path of the receiver that is being called."""
        self._called_at = 0.0
        self._is_begun = is_begun
        self._alone = alone
        self._may_call = may_call
        self._along = along
        self._claim = event.claim
        self._runs: list[ReceiverRun] = []
        self._held: list[Verdict] = []
        self._status: Event.Status | None = None

    @property
    def called_for(self) -> float:
        """For how many seconds the receiver has been called that is being called; 0 if none is."""
        return time.monotonic() - self._called_at if self.calling else 0.0

    def make(self) -> bool:
        """Call the receivers and write down what came of it; return whether it is concluded."""
        event = self.event
        if event.is_test:
            return self._announce_test()
        if asks_code(event) and not self._begin(""):
            return False
        calls = calls_for(event)
        self._history = History.of(event, is_begun=self._is_begun)
        self._receivers = {verdict.receiver.path for verdict in calls}
        left = [call for call in calls if call.receiver.path not in self._history.settled]
        if left and event.deaths >= conf.current().MAX_ATTEMPTS:
            left = self._give_up_the_deadly(left)
        now = [verdict for verdict in left if self._may_call(verdict.receiver.path)]
        self._held = [verdict for verdict in left if verdict not in now]
        if not now:
            return self._conclude_without_a_call()
        if not self._is_begun and not self._begin(now[0].receiver.path):
            return False
        return self._call(now)

    def _begin(self, calling: str) -> bool:
        self._is_begun = queue.begin(self.event, calling=calling, alone=self._alone)
        return self._is_begun

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

    def _conclude(self, run: ReceiverRun) -> None:
        """Write down what the attempt comes to, with this last run."""
        event = self.event
        event.claim = self._claim
        runs = [*self._runs, run]
        unsettled = [run for run in runs if not run.is_settled]
        self._status = None
        if unsettled and self._history.used(event, runs) < conf.current().MAX_ATTEMPTS:
            queue.postpone(event, delay(event.attempts, unsettled))
        elif self._held:
            queue.give_back_begun(event, _HELD_SECONDS, counts=True)
        else:
            status = self._history.status(self._receivers, runs)
            if queue.finish(event, status):
                self._status = status
                self._reason = "no attempt is left" if unsettled else self._history.reason(runs)
        self._along()

    def _give_back(self) -> None:
        self.event.claim = self._claim
        queue.give_back_begun(self.event, 0, counts=bool(self._runs))

    def _conclude_without_a_call(self) -> bool:
        """End an attempt in which no receiver is called."""
        if self._held:
            end = queue.give_back_begun if self._is_begun else queue.postpone
            return end(self.event, _HELD_SECONDS)
        status = self._history.status(self._receivers, [])
        if not queue.finish(self.event, status):
            return False
        self._status, self._reason = status, self._history.reason([])
        self._announce()
        return True

    def _give_up_the_deadly(self, left: list[Verdict]) -> list[Verdict]:
        """Write a failed run for the receiver that ended its process each time; return the others.

        Runs are stored as calls end, so it is the first that has none in the last attempt.
        """
        event = self.event
        ended = self._history.called(event.attempts - self._is_begun)
        deadly = next((v for v in left if v.receiver.path not in ended), left[0])
        run = ReceiverRun.begin(event, deadly.receiver.path, None)
        run.fail(
            GiveUp(
                f"The process that called it ended {event.deaths} times during the call."
                " Look for what ends processes: memory, crashes of extensions, os._exit()."
            )
        )
        store(run, lambda run: self._pardon())
        self._history.add(run)
        logger.error("Receiver %s is given up for %s: %s", run.receiver, event, run.error)
        return [verdict for verdict in left if verdict is not deadly]

    def _pardon(self) -> None:
        self.event.claim = self._claim
        queue.pardon(self.event)

    def _announce_test(self) -> bool:
        """Tell the listeners of a test event, which is for no receiver."""
        if not self._is_begun and not self._begin("webhook_tested"):
            return False
        announce(webhook_tested, self.event)
        return queue.finish(self.event, Event.Status.SKIPPED)

    def _announce(self) -> None:
        """Say that an event has failed for good, if it has and this process wrote it down."""
        if self._status == Event.Status.FAILED:
            logger.error(
                "%s failed for good after %d attempts: %s",
                self.event,
                self.event.attempts,
                self._reason,
            )
            announce(event_failed, self.event)


def asks_code(event: Event) -> bool:
    """Whether filters of the project's own code are called for an event, before its receivers."""
    return any(callable(receiver.options.fields) for receiver in receivers_of(event.name))


def first_receiver(event: Event) -> str:
    """Return the receiver that the first attempt at an event begins with.

    Empty if it is no first attempt, or if that takes more than a look at the event.
    """
    if event.attempts or event.deaths or event.alone or event.is_test or asks_code(event):
        return ""
    calls = calls_for(event)
    return calls[0].receiver.path if calls else ""


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
