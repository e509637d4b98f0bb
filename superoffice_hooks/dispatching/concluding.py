"""Concluding a gathered call: what the events, the gathering and its next round come to."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from .. import conf
from ..models import Event, Gathering, ReceiverRun, members, queue, rounds, steps
from ..models.history import COLUMNS, History
from ..models.members import Members
from ..models.transactions import in_own_transaction
from ..models.updating import Update
from .announcing import announce_failed
from .calling import BrokenOff
from .delays import delay


class ClaimLost(BrokenOff):
    """Another process has the gathering; what was done is undone."""


class Conclusion:
    """Writes down what came of a call, in the transaction of its run.

    Args:
        gathering: one that this process has claimed.
        batch: the size of a batch, if it is one.
    """

    def __init__(self, gathering: Gathering, batch: int | None) -> None:
        self.gathering = gathering
        self.outcomes = defaultdict[str, list[int]](list)
        """The events that were finished, by primary key, and by their status."""
        self.is_last = True
        """Whether the call is the last one for these events, so that the next round may begin."""
        self._batch = batch
        self._claim = gathering.claim
        self._path: str = gathering.receiver
        self._finished: dict[str, list[int]] = {}

    def conclude(self, part: Members, run: ReceiverRun) -> Sequence[Update]:
        """Write down what the events and the gathering come to, in the transaction of the run."""
        self.gathering.claim, self._finished = self._claim, {}
        if run.outcome == ReceiverRun.Outcome.SUCCEEDED:
            succeeded = part.only(part.runs.keys() - part.errors.keys())
            self.note_success(succeeded, is_last=self.is_last and not part.errors)
            if not part.is_concluded:
                succeeded.forget()
        elif part.is_single:
            self._fail_alone(part, run)
        else:
            self._fail_together(part, run)
        return ()

    def note_success(self, part: Members, *, is_last: bool) -> None:
        """Note that the receiver succeeded with these events."""
        states = part.lock()
        self.note_called(part, is_last=is_last)
        self._finished = members.finish(states, self._path, ReceiverRun.Outcome.SUCCEEDED)
        part.stop_counting(self._path)

    def note_earlier(self, called: Members) -> None:
        """Note a success that is stored already, by a process that ended before it noted this."""

        def note() -> None:
            self.note_success(called, is_last=False)
            called.forget()

        in_own_transaction(queue.using(), note)

    def _fail_alone(self, part: Members, run: ReceiverRun) -> None:
        """Let the event that stands alone go back to the queue, if it has an attempt left."""
        states = part.lock()
        self.note_called(part, is_last=self.is_last)
        if not states:
            return
        ((status, attempts),) = states.values()
        run.attempt = attempts + (status == Event.Status.WAITING)
        rows = ReceiverRun.objects.using(queue.using()).filter(event=run.event_id).order_by("pk")
        used = History(None, rows.values_list(*COLUMNS)).used(run.event, [run])
        gave_up = run.outcome == ReceiverRun.Outcome.GAVE_UP
        if gave_up or used >= conf.current().MAX_ATTEMPTS:
            self._finished = members.finish(states, self._path, run.outcome)
        else:
            members.retry(states, delay(used, [run]))

    def _fail_together(self, part: Members, run: ReceiverRun) -> None:
        """Let all events be tried again together, or fail if no attempt is left."""
        gathering = self.gathering
        states = part.lock()
        used = members.failures(part, self._path) + 1 + gathering.deaths
        gave_up = run.outcome == ReceiverRun.Outcome.GAVE_UP
        part.is_final = gave_up or used >= conf.current().MAX_ATTEMPTS
        if part.is_final:
            if not gave_up:
                # Also with RetryLater: the receiver is not called again, whatever others do.
                run.outcome = ReceiverRun.Outcome.FAILED
            self.note_called(part, is_last=True)
            self._finished = members.finish(states, self._path, run.outcome)
            return
        step = steps.postpone(gathering, delay(used, [run]))
        # Those that have joined meanwhile are part of the next call, but not its first event.
        first = {"first_event_at": gathering.first_event_at, "call_by": gathering.call_by}
        step.columns = {**step.columns, **first}
        if not step.apply():
            raise ClaimLost

    def note_called(self, part: Members, *, is_last: bool) -> None:
        """Note in the gathering that these events were called."""
        if not rounds.note_called(self.gathering, len(part), self._batch, is_last=is_last):
            raise ClaimLost

    def note_gone(self, events: int, *, is_last: bool) -> bool:
        """Note that so many events are not called, as they were deleted; False if it was lost."""
        work = partial(rounds.note_called, self.gathering, events, self._batch, is_last=is_last)
        return in_own_transaction(queue.using(), work)

    def note_finished(self) -> None:
        """Count what the last call has finished, once it is committed."""
        for status, events in self._finished.items():
            self.outcomes[status] += events
        self._finished = {}

    def announce_failed(self) -> None:
        """Announce the events that have failed for good."""
        for event in queue.events().filter(pk__in=self.outcomes[Event.Status.FAILED]):
            announce_failed(event, f"with {self.gathering}")
