"""The runs of a replay, as its page shows them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.utils.safestring import SafeString

from ..models import ReceiverRun
from . import display

_NAME_LENGTH = 100


class Run(NamedTuple):
    """A row of the table of runs. Everything that comes from outside is visible and bounded."""

    started_at: datetime
    event_id: int
    event: str
    """The name of the event and its record; its EventId if it has no name."""
    receiver: SafeString
    outcome: SafeString
    error: SafeString
    traceback: SafeString | None
    attempt: int
    seconds: float


def rows(runs: Iterable[ReceiverRun]) -> list[Run]:
    """Return the rows of some runs."""
    return [
        Run(
            started_at=run.started_at,
            event_id=run.event_id,
            event=_event(run),
            receiver=display.bounded(run.receiver),
            outcome=display.status(run.outcome, run.get_outcome_display()),
            error=display.bounded(run.error),
            traceback=display.text(run.traceback) if run.traceback else None,
            attempt=run.attempt,
            seconds=run.duration.total_seconds(),
        )
        for run in runs
    ]


def _event(run: ReceiverRun) -> str:
    number = run.event.primary_key
    name = run.event.name or str(run.event.event_id)
    return display.line(name if number is None else f"{name} {number}", _NAME_LENGTH)
