"""The chart of the events per hour: where its parts are, in the units of its viewBox."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import ceil
from typing import NamedTuple

from django.utils.formats import date_format, localize
from django.utils.timezone import is_aware, localtime

from ..models import Event
from ..watching import Hour

LEFT, RIGHT, TOP, BOTTOM = 60, 1000, 20, 240
"""The edges of the plot; the words beside it are outside."""
LEAST = 2
"""The height of the lowest part: one failed event among ten thousand must be seen."""

STACK = (
    Event.Status.FAILED,
    Event.Status.HANDLED,
    Event.Status.PENDING,
    Event.Status.SKIPPED,
    Event.Status.SUCCEEDED,
)
"""From the bottom up: what wants a person stands on the line, where heights can be compared."""


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
    """Events per hour, stacked by status."""
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
        hours=[
            Mark(round(LEFT + number * slot, 2), label)
            for number, hour in enumerate(hours)
            if (label := _label(hour.start))
        ],
    )


def grid_step(highest: int) -> int:
    """The distance of the grid's lines: 1, 2 or 5 with zeros, so that there are four at most."""
    magnitude = 1
    while True:
        for step in (magnitude, 2 * magnitude, 5 * magnitude):
            if highest <= 4 * step:
                return step
        magnitude *= 10


def total(hour: Hour) -> int:
    """How many events were received in the hour."""
    return sum(hour.events.values())


def words(hour: Hour) -> str:
    """``2026-11-23 13:00 CET: 3 failed, 77 succeeded``."""
    counts = (
        f"{localize(hour.events[status])} {status.label}"
        for status in STACK
        if status in hour.events
    )
    return f"{at(hour.start)}: {', '.join(counts)}"


def at(hour: datetime) -> str:
    """When an hour begins. The zone tells two hours apart when the clocks are set back."""
    local = _local(hour)
    # Django's format "T" says nothing in just these two hours.
    return f"{date_format(local, 'Y-m-d H:i')} {local.tzname() or ''}".strip()


def _stacked(hour: Hour, x: float, width: float, unit: float) -> Iterator[Part]:
    y = float(BOTTOM)
    for status in STACK:
        if events := hour.events.get(status):
            height = max(events * unit, LEAST)
            y -= height
            yield Part(status, round(x, 2), round(y, 2), round(width, 2), round(height, 2))


def _label(hour: datetime) -> str:
    local = _local(hour)
    if local.hour % 6:
        return ""
    return date_format(local, "H:i" if local.hour else "Y-m-d")


def _local(moment: datetime) -> datetime:
    return localtime(moment) if is_aware(moment) else moment
