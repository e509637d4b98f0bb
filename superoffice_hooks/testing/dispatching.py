"""Dispatch in a test what is due, now or later."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F, Max, Q, QuerySet

from .. import dispatcher
from ..dispatching import in_thread
from ..models import Event, Gathering, queue
from ..models.clock import NOW
from .calls import raised

_AT_A_TIME = 50
_TIMES = ("next_attempt_at", "first_event_at", "last_event_at", "quiet_at", "call_by")


def dispatch_due(*, later: timedelta = timedelta(), raises: bool = True) -> list[Event]:
    """Dispatch what is due, in this thread, and return these events in the order of their calls.

    Args:
        later: how far to move time ahead first. Retries that are due by then come at once, and so
            do the calls of receivers with ``settle`` or ``batch``.
        raises: whether to raise what a receiver raised.

    Raises:
        Exception: the first error of a receiver, if ``raises``.
    """
    known = list(queue.rows(Gathering).values_list("pk", flat=True))
    newest = queue.events().aggregate(newest=Max("pk"))["newest"] or 0
    if later:
        _go_ahead(queue.events(), later, _TIMES[:1])
        _go_ahead(queue.rows(Gathering), later, _TIMES)
    with raised() as errors:
        dispatched = [event.pk for event in in_thread.dispatch_due(_AT_A_TIME)]
        # An event that was dispatched for the first time has joined a gathering only now. The
        # gatherings of events that have come in meanwhile are left alone.
        opened = queue.rows(Gathering).exclude(pk__in=known).exclude(runs__event__gt=newest)
        if later and _go_ahead(opened, later, _TIMES):
            dispatched += [event.pk for event in in_thread.dispatch_due(_AT_A_TIME)]
    if raises and errors:
        raise errors[0]
    # An event that has joined was dispatched once for that, and again with its gathering.
    keys = list(dict.fromkeys(reversed(dispatched)))
    stored = queue.events().in_bulk(keys)
    return [stored[key] for key in reversed(keys) if key in stored]


def wait_until_dispatched(seconds: float = 10) -> None:
    """Wait until nothing is due or being dispatched; for tests with a live server.

    It does not wait for retries that are due later, nor for records that are not quiet yet.

    Raises:
        TimeoutError: after so many seconds; the message names what is left.
    """
    end = time.monotonic() + seconds
    while left := _left():
        if time.monotonic() > end:
            names = ", ".join(map(_named, left[:5]))
            raise TimeoutError(f"After {seconds:g} seconds these are not dispatched: {names}.")
        time.sleep(0.02)


def _go_ahead(waiting: QuerySet[Any], later: timedelta, times: Sequence[str]) -> int:
    """Let rows that are not claimed be due sooner; return how many."""
    free = waiting.exclude(next_attempt_at=None).filter(claim=None)
    return free.update(**{name: F(name) - later for name in times})


def _left() -> list[Event | Gathering]:
    """Return some of the rows that are due, or that a process has claimed."""
    # A lane cannot see the rows of a TestCase's transaction; on SQLite it would wait for its end.
    if not dispatcher.calls_in_this_thread():
        dispatcher.wake()
    is_left = Q(next_attempt_at__lte=NOW) | ~Q(claim=None)
    unfinished = queue.events().unfinished().order_by("next_attempt_at")
    return [*unfinished.filter(is_left)[:5], *queue.rows(Gathering).filter(is_left)[:5]]


def _named(row: Event | Gathering) -> str:
    return f"{row} ({row.status})" if isinstance(row, Event) else f"{row} (gathering)"
