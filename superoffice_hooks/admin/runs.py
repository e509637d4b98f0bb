"""A table of receiver runs, for the page of an event or of a replay."""

from datetime import datetime
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from ..models import ReceiverRun, Replay
from . import display


class Run(NamedTuple):
    """A row of the table. Everything that comes from outside is visible and bounded."""

    id: str
    started_at: datetime
    receiver: SafeString
    outcome: SafeString
    error: SafeString
    seconds: float
    part: str
    """The attempt, what it waits for, or the event with which it went."""
    replay: Replay | None = None
    """The replay that it was part of, unless the page is that of the replay."""
    event_id: int | None = None
    event: str = ""
    """The name of the event and its record, on the page of a replay."""
    traceback: SafeString | None = None
    shown_at: str = ""
    """The id of the element that shows the same traceback."""


def row(run: ReceiverRun, part: str, *, shown_at: str = "", **more: Any) -> Run:
    """Return the row of a run; ``more`` are columns that only one of the pages has."""
    return Run(
        id=f"run-{run.pk}",
        started_at=run.started_at,
        receiver=display.breakable(display.line(run.receiver, 255)),
        outcome=display.status(run.outcome, run.get_outcome_display()),
        error=display.bounded(run.error),
        seconds=run.duration.total_seconds(),
        part=part,
        traceback=display.text(run.traceback) if run.traceback and not shown_at else None,
        shown_at=shown_at,
        **more,
    )


def of_replay(run: ReceiverRun) -> Run:
    """Return the row of a run on the page of its replay, with its event."""
    number = run.event.primary_key
    name = run.event.name or str(run.event.event_id)
    event = display.line(name if number is None else f"{name} {number}", 100)
    return row(run, str(run.attempt), event_id=run.event_id, event=event)
