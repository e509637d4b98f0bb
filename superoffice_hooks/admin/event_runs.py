"""The runs of one event: its errors, and a table of all runs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ..models import Event, Gathering, ReceiverRun
from . import display, tracebacks
from .gatherings import wait
from .readonly import ReadOnlyAdmin
from .runs import Run, row

MAX_ERRORS = 3
"""Receivers whose errors are shown above everything else."""
_ERROR_LENGTH = 500
Outcome = ReceiverRun.Outcome


class Error(NamedTuple):
    """The last run of a receiver that did not succeed."""

    run: ReceiverRun
    receiver: str
    headline: SafeString
    failures: int
    """How many of its runs on the page did not succeed."""
    own: SafeString | None
    """The frames of the project's code."""
    whole: SafeString | None
    """The traceback; None if it is pruned."""
    in_list: str
    """The URL of all events that are still failed for the receiver."""

    @property
    def id(self) -> str:
        """Return the id of its element."""
        return f"error-{self.run.pk}"


def still_failed(runs: Sequence[ReceiverRun]) -> list[ReceiverRun]:
    """Return the last call of each receiver, unless it succeeded. ``runs`` are newest first.

    A run that has only joined is no call yet.
    """
    last: dict[str, ReceiverRun] = {}
    for run in runs:
        if run.outcome != Outcome.JOINED:
            last.setdefault(run.receiver, run)
    return [run for run in last.values() if run.outcome in ReceiverRun.UNSUCCESSFUL]


def gatherings(runs: Iterable[ReceiverRun]) -> list[Gathering]:
    """Return the gatherings that the event has joined, the first to be called first."""
    joined = (run.gathering for run in runs if run.outcome == Outcome.JOINED)
    due = [gathering for gathering in joined if gathering and gathering.next_attempt_at]
    return sorted(due, key=lambda gathering: (gathering.next_attempt_at, gathering.pk))


def errors(admin: ReadOnlyAdmin[Event], event: Event, runs: Sequence[ReceiverRun]) -> list[Error]:
    """Return the errors because of which the event has not succeeded."""
    if event.status in (Event.Status.SUCCEEDED, Event.Status.SKIPPED):
        return []
    return [_error(admin, run, runs) for run in still_failed(runs)]


def _error(admin: ReadOnlyAdmin[Event], last: ReceiverRun, runs: Iterable[ReceiverRun]) -> Error:
    others = [
        run
        for run in runs
        if run.receiver == last.receiver and run.outcome in ReceiverRun.UNSUCCESSFUL
    ]
    own = tracebacks.own_lines(last.traceback, last.receiver)
    query = urlencode({"failing": last.receiver})
    return Error(
        run=last,
        receiver=display.line(last.receiver),
        headline=display.bounded(last.error, _ERROR_LENGTH),
        failures=len(others),
        own=display.text(own) if own else None,
        whole=display.text(last.traceback) if last.traceback else None,
        in_list=f"{admin.url('event_changelist')}?{query}",
    )


def table(
    admin: ReadOnlyAdmin[Event], runs: Iterable[ReceiverRun], shown: Iterable[Error]
) -> list[Run]:
    """Return a row for each run. A traceback that the page shows already becomes a link."""
    places = {error.run.traceback: error.id for error in shown if error.run.traceback}
    rows = []
    for run in runs:
        part, place = _part(admin, run), places.get(run.traceback, "")
        rows.append(row(run, part, shown_at=place, replay=run.replay))
        if run.traceback:
            places.setdefault(run.traceback, rows[-1].id)
    return rows


def _part(admin: ReadOnlyAdmin[Event], run: ReceiverRun) -> str:
    """Return which attempt a run was part of, what it waits for, or the event it went with."""
    if run.outcome == Outcome.JOINED:
        return wait(run.gathering) if run.gathering else ""
    if run.with_event in (None, run.event_id):
        return gettext("Attempt %(number)d") % {"number": run.attempt}
    words = gettext("went with event %(key)s") % {"key": run.with_event}
    return format_html('<a href="{}">{}</a>', admin.url("event_change", run.with_event), words)
