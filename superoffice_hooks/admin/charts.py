"""The chart of the events per hour: where its parts are, in the units of its viewBox."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import ceil
from typing import NamedTuple

from django.utils.formats import date_format, localize
from django.utils.translation import gettext

from ..models import Event
from ..reports.recent import Hour, totals
from . import display

LEFT, RIGHT, TOP, BOTTOM = 60, 1000, 20, 240
"""The edges of the plot; the words beside it are outside."""
LOWEST = 2
"""The smallest height of a part: one failed event of ten thousand must be visible."""

MAX_COLUMNS = 72
LENGTHS = (1, 3, 6, 12, 24)
"""The numbers of hours that a column may have; the last is enough for the longest window."""
MAX_DAYS_MARKED = 8

STACK = (
    Event.Status.FAILED,
    Event.Status.HANDLED,
    Event.Status.PENDING,
    Event.Status.WAITING,
    Event.Status.SKIPPED,
    Event.Status.SUCCEEDED,
)
"""From the bottom up: what needs a person is at the bottom, where heights are easy to compare."""


class Part(NamedTuple):
    """The events of one hour with one status."""

    status: str
    x: float
    y: float
    width: float
    height: float


class Column(NamedTuple):
    """The events of one hour."""

    words: str
    parts: list[Part]


class Mark(NamedTuple):
    """Words beside an axis, at this height or this distance from the left."""

    at: float
    words: str


class Chart(NamedTuple):
    """Columns of stacked parts, and the marks of both axes."""

    columns: list[Column]
    counts: list[Mark]
    hours: list[Mark]
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


def chart(hours: Sequence[Hour]) -> Chart:
    """Return a chart of the events per hour, stacked by status."""
    highest = max(map(total, hours))
    step = grid_step(highest)
    lines = max(1, ceil(highest / step))
    unit = (BOTTOM - TOP) / (lines * step)
    slot = (RIGHT - LEFT) / len(hours)
    return Chart(
        columns=[
            Column(words(hour), list(_stacked(hour, LEFT + number * slot, slot * 0.8, unit)))
            for number, hour in enumerate(hours)
            if hour.events
        ],
        counts=[
            Mark(round(BOTTOM - line * step * unit, 2), localize(line * step))
            for line in range(lines + 1)
        ],
        hours=list(_marks(hours, slot)),
    )


def columns(hours: Sequence[Hour]) -> list[Hour]:
    """Return the events of these hours, in up to MAX_COLUMNS periods of equal length."""
    length = next(n for n in LENGTHS if len(hours) <= n * MAX_COLUMNS)
    return [
        Hour(hours[start].start, dict(totals(hours[start : start + length])), length)
        for start in range(0, len(hours), length)
    ]


def heading(length: int) -> str:
    """Return the heading of a chart whose columns have so many hours."""
    if length == 1:
        return gettext("Events per hour")
    return gettext("Events per %(hours)d hours") % {"hours": length}


def grid_step(highest: int) -> int:
    """Return the distance of the grid's lines: 1, 2 or 5 with zeros, for up to four lines."""
    magnitude = 1
    while True:
        for step in (magnitude, 2 * magnitude, 5 * magnitude):
            if highest <= 4 * step:
                return step
        magnitude *= 10


def total(hour: Hour) -> int:
    """Return how many events were received in the hour."""
    return sum(hour.events.values())


def words(hour: Hour) -> str:
    """Return an hour in words: ``2026-11-23 13:00 CET: 3 failed, 77 succeeded``."""
    counts = (
        f"{localize(hour.events[status])} {status.label}"
        for status in STACK
        if status in hour.events
    )
    return f"{at(hour.start)}: {', '.join(counts)}"


def at(hour: datetime) -> str:
    """Return when an hour begins, with the zone: two hours have the same time in autumn."""
    local = display.local(hour)
    # Django's format "T" is empty in exactly these two hours.
    return f"{date_format(local, 'Y-m-d H:i')} {local.tzname() or ''}".strip()


def _stacked(hour: Hour, x: float, width: float, unit: float) -> Iterator[Part]:
    y = float(BOTTOM)
    for status in STACK:
        if events := hour.events.get(status):
            height = max(events * unit, LOWEST)
            y -= height
            yield Part(status, round(x, 2), round(y, 2), round(width, 2), round(height, 2))


def _marks(hours: Sequence[Hour], slot: float) -> Iterator[Mark]:
    """Yield a mark for each quarter of a day; where columns have several hours, for some days."""
    begun = [display.local(hour.start) for hour in hours]
    if hours[0].hours == 1:
        at_quarters = (n for n, time in enumerate(begun) if time.hour % 6 == 0)
        for number in at_quarters:
            time = begun[number]
            words = date_format(time, "H:i" if time.hour else "Y-m-d")
            yield Mark(round(LEFT + number * slot, 2), words)
        return
    new_days = [n for n in range(1, len(begun)) if begun[n].date() != begun[n - 1].date()]
    for number in new_days[:: ceil(len(new_days) / MAX_DAYS_MARKED) or 1]:
        yield Mark(round(LEFT + number * slot, 2), date_format(begun[number], "Y-m-d"))
