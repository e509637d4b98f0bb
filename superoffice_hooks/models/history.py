"""The history of an event: the outcomes of its receivers in earlier attempts and replays."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db import router

from .event import Event
from .run import ReceiverRun
from .updating import SQL, update

_SUCCEEDED = ReceiverRun.Outcome.SUCCEEDED
_JOINED = ReceiverRun.Outcome.JOINED

COLUMNS = ("receiver", "outcome", "attempt", "replay_id", "with_event")
"""The columns of a run that a history needs."""


class _Run(NamedTuple):
    receiver: str
    outcome: str
    attempt: int
    replay: int | None
    with_event: int | None = None

    @property
    def is_of_event(self) -> bool:
        """Return whether it was a call for this event alone, and in no replay."""
        return self.replay is None and self.with_event is None

    @property
    def has_failed_together(self) -> bool:
        """Return whether it failed in a call for several events; as the last run, it is final."""
        return self.outcome == ReceiverRun.Outcome.FAILED and self.with_event is not None


class History:
    """The runs of an event before an attempt. They are read, unless it is the first attempt.

    ``rows`` are these runs, in their order, if the caller has read them.
    """

    def __init__(self, event: Event | None, rows: Iterable[Any] | None = None) -> None:
        self._runs: list[_Run] = []
        if rows is not None:
            self._runs = [_Run(*row) for row in rows]
        elif event and event.attempts > (event.begun_at is not None):
            self._runs = [_Run(*run) for run in _stored(event)]
        ordinary = [run for run in self._runs if run.replay is None]
        self.settled = {run.receiver for run in ordinary if run.outcome in ReceiverRun.SETTLED}
        """The dotted paths of the receivers that need no further call, besides replays."""
        self.joined = {run.receiver for run in ordinary if run.outcome == _JOINED}
        """Those of them that are going to be called with a gathering."""
        self.unsettled = {run.receiver for run in ordinary} - self.settled
        """The dotted paths of the receivers that were called and need another call."""
        last = {run.receiver: run for run in ordinary}
        together = {path for path, run in last.items() if run.has_failed_together}
        if self.unsettled - together:
            # They have no attempt left. This one is made because of another receiver.
            self.settled |= together

    def add(self, run: ReceiverRun) -> None:
        """Add a run that has been stored since then."""
        self._runs.append(_Run(*(getattr(run, name) for name in COLUMNS)))

    def called(self, attempt: int) -> set[str]:
        """Return the dotted paths of the receivers whose call in this attempt has ended."""
        return {r.receiver for r in self._runs if r.attempt == attempt and r.is_of_event}

    def used(self, event: Event, runs: Iterable[ReceiverRun]) -> int:
        """Return how many of its attempts an event has used up: those that failed, and deaths.

        An attempt that was broken off through no fault of a receiver does not count.
        """
        failed = {run.attempt for run in runs}
        for run in self._runs:
            if run.is_of_event and run.outcome not in ReceiverRun.SETTLED:
                failed.add(run.attempt)
        return len(failed) + event.deaths

    def conclusion(
        self, last: Mapping[str, str], *, has_receivers: bool
    ) -> tuple[Event.Status, str]:
        """Return the status of an event after these outcomes, and the reason if it failed.

        ``last`` has the outcomes of the last runs by receiver; these are not in the history yet. An
        event that has joined a gathering is waiting. It has failed if the last run of a receiver
        has, even if that receiver is not connected any more. Without any receiver it is skipped.
        """
        latest = self._latest() | dict(last)
        if _JOINED in latest.values():
            return Event.Status.WAITING, ""
        if all(outcome == _SUCCEEDED for outcome in latest.values()):
            called = has_receivers or latest
            return (Event.Status.SUCCEEDED if called else Event.Status.SKIPPED), ""
        unsettled = {path for path, o in latest.items() if o not in ReceiverRun.SETTLED}
        if failed := ", ".join(sorted(unsettled - self.settled)):
            return Event.Status.FAILED, f"no receiver is connected as {failed} any more"
        return Event.Status.FAILED, "a receiver gave up"

    def _latest(self) -> dict[str, str]:
        """Return the outcome of each receiver's last run.

        Of the runs besides replays, a success counts as the last one, even if others follow it.
        """
        latest: dict[str, _Run] = {}
        for run in self._runs:
            last = latest.get(run.receiver)
            if last is None or last.outcome != _SUCCEEDED or run.replay != last.replay:
                latest[run.receiver] = run
        return {receiver: run.outcome for receiver, run in latest.items()}


def locked(event: Event) -> History:
    """Return the history as it is now, and keep it so until the surrounding transaction ends."""
    update(Event, {"id": SQL("id")}, [event.pk])
    return History(None, _stored(event))


def _stored(event: Event) -> Iterable[Any]:
    runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun)).filter(event=event)
    return runs.order_by("pk").values_list(*COLUMNS)
