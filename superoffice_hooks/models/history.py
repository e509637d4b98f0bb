"""The history of an event: what its receivers have come to in earlier attempts and replays."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import router

from .event import Event
from .run import ReceiverRun

_SUCCEEDED = ReceiverRun.Outcome.SUCCEEDED


class _Run(NamedTuple):
    receiver: str
    outcome: str
    attempt: int
    replay: int | None


class History:
    """The runs of an event before an attempt."""

    def __init__(self, runs: Iterable[tuple[str, str, int, int | None]]) -> None:
        self._runs = [_Run(*run) for run in runs]

    @classmethod
    def of(cls, event: Event, *, is_begun: bool) -> "History":
        """Read the history of an event; there is none before the first attempt."""
        if event.attempts == is_begun:
            return cls(())
        runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun)).filter(event=event)
        return cls(runs.order_by("pk").values_list("receiver", "outcome", "attempt", "replay_id"))

    @property
    def settled(self) -> set[str]:
        """The dotted paths of receivers that need no further call in the ordinary dispatch."""
        settled = (run for run in self._runs if run.outcome in ReceiverRun.SETTLED)
        return {run.receiver for run in settled if run.replay is None}

    def add(self, run: ReceiverRun) -> None:
        """Add a run that was stored meanwhile."""
        self._runs.append(_Run(run.receiver, run.outcome, run.attempt, run.replay_id))

    def called(self, attempt: int) -> set[str]:
        """Return the dotted paths of the receivers whose call in this attempt came to an end."""
        return {r.receiver for r in self._runs if r.attempt == attempt and r.replay is None}

    def used(self, event: Event, runs: Iterable[ReceiverRun]) -> int:
        """Return how many of its attempts an event has used up: those that failed, and deaths.

        An attempt that was broken off by no fault of a receiver has a number, and is not used up.
        """
        failed = {run.attempt for run in runs}
        for run in self._runs:
            if run.replay is None and run.outcome not in ReceiverRun.SETTLED:
                failed.add(run.attempt)
        return len(failed) + event.deaths

    def status(self, receivers: set[str], runs: Iterable[ReceiverRun]) -> Event.Status:
        """Return the status of an event whose last runs these are.

        It failed if the last run of any receiver did, one that is not connected any more included.
        It was skipped if it has no receiver.
        """
        latest = self._latest(runs)
        if any(outcome != ReceiverRun.Outcome.SUCCEEDED for outcome in latest.values()):
            return Event.Status.FAILED
        return Event.Status.SUCCEEDED if receivers or latest else Event.Status.SKIPPED

    def reason(self, runs: Iterable[ReceiverRun]) -> str:
        """Return why an event failed whose last runs these are."""
        failed = [
            receiver
            for receiver, outcome in self._latest(runs).items()
            if outcome not in ReceiverRun.SETTLED
        ]
        if failed:
            return f"nobody is connected as {', '.join(failed)} any more"
        return "a receiver gave up"

    def _latest(self, runs: Iterable[ReceiverRun]) -> dict[str, str]:
        """Return the outcome of each receiver's last run.

        In the ordinary dispatch, a success is the last one, whatever else was written down.
        """
        latest: dict[str, _Run] = {}
        for run in self._runs:
            last = latest.get(run.receiver)
            if last is None or last.outcome != _SUCCEEDED or run.replay != last.replay:
                latest[run.receiver] = run
        outcomes = {receiver: run.outcome for receiver, run in latest.items()}
        return outcomes | {run.receiver: run.outcome for run in runs}
