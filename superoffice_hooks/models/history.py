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
"""The columns of a run that count."""


class _Run(NamedTuple):
    receiver: str
    outcome: str
    attempt: int
    replay: int | None
    with_event: int | None = None

    @property
    def is_of_event(self) -> bool:
        """Return whether it was a call for this event alone, in its ordinary dispatch."""
        return self.replay is None and self.with_event is None

    @property
    def has_failed_together(self) -> bool:
        """Return whether it failed together with other events; for good, if it is the last run."""
        return self.outcome == ReceiverRun.Outcome.FAILED and self.with_event is not None


class History:
    """The runs of an event before an attempt; read unless it is the first one.

    ``rows`` are those runs, if they were read already, in their order.
    """

    def __init__(self, event: Event | None, rows: Iterable[Any] | None = None) -> None:
        self._runs: list[_Run] = []
        if rows is not None:
            self._runs = [_Run(*row) for row in rows]
        elif event and event.attempts > (event.begun_at is not None):
            runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun)).filter(event=event)
            self._runs = [_Run(*run) for run in runs.order_by("pk").values_list(*COLUMNS)]
        ordinary = [run for run in self._runs if run.replay is None]
        self.settled = {run.receiver for run in ordinary if run.outcome in ReceiverRun.SETTLED}
        """The dotted paths of receivers that need no further call in the ordinary dispatch."""
        self.joined = {run.receiver for run in ordinary if run.outcome == _JOINED}
        """Those of them that are going to be called with a gathering."""
        self.unsettled = {run.receiver for run in ordinary} - self.settled
        """The dotted paths of receivers that were called and need another call."""
        last = {run.receiver: run for run in ordinary}
        together = {path for path, run in last.items() if run.has_failed_together}
        if self.unsettled - together:
            # Their attempts are used up, and this one is made because of another receiver.
            self.settled |= together

    def add(self, run: ReceiverRun) -> None:
        """Add a run that was stored meanwhile."""
        self._runs.append(_Run(*(getattr(run, name) for name in COLUMNS)))

    def called(self, attempt: int) -> set[str]:
        """Return the dotted paths of the receivers whose call in this attempt came to an end."""
        return {r.receiver for r in self._runs if r.attempt == attempt and r.is_of_event}

    def used(self, event: Event, runs: Iterable[ReceiverRun]) -> int:
        """Return how many of its attempts an event has used up: those that failed, and deaths.

        An attempt that was broken off by no fault of a receiver is not used up.
        """
        failed = {run.attempt for run in runs}
        for run in self._runs:
            if run.is_of_event and run.outcome not in ReceiverRun.SETTLED:
                failed.add(run.attempt)
        return len(failed) + event.deaths

    def conclusion(
        self, last: Mapping[str, str], *, has_receivers: bool
    ) -> tuple[Event.Status, str]:
        """Return the status of an event after these outcomes; and the reason if it failed.

        ``last`` are the outcomes of the last runs, by receiver, which are not in the history yet.
        The event waits while it has joined a gathering. It failed if the last run of any receiver
        did, one that is not connected any more included. It was skipped if it has no receiver.
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

        In the ordinary dispatch, a success counts as the last one, in any order of the rows.
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
    runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun)).filter(event=event)
    return History(None, runs.order_by("pk").values_list(*COLUMNS))
