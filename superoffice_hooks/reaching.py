"""Reaching: a page of a long table, however many rows it has and whatever is asked of them.

Rows are in the order of receipt. A condition that leaves few rows, found by an index of its own,
names them, however old they are. Of everything else, MOST rows at a time are looked through, in
order, so that a page may be short though more follow it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

MOST = 10_000
"""Rows that are looked through at a time."""
FEW = 1000
"""Rows that are named one by one."""
LAST = 2**63 - 1
"""No primary key is higher."""


class Place(NamedTuple):
    """A place in the order of rows: just before the row with this key, be it there or not."""

    moments: tuple[datetime, ...]
    pk: int


class Page(NamedTuple):
    """Some rows, and where those before and after them begin."""

    keys: list[int]
    """Primary keys, in the direction in which they were read."""
    older: Place | None
    """What is older is before this; None if nothing is."""
    newer: Place | None
    """What is newer is after this; None if nothing is, as far as is known."""


@dataclass(frozen=True)
class Asked:
    """Which rows of a table are asked for."""

    scope: QuerySet[Any]
    """The rows of the time asked for; an index has them in order."""
    rows: QuerySet[Any]
    """Those of them that meet all conditions."""
    keys: set[int] | None = None
    """All that may meet them, if they are few."""
    moment: str = "received_at"
    """The column with the moment of receipt; empty if the table is in the order of its key."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What the rows are ordered by."""
        return (self.moment, "pk") if self.moment else ("pk",)


def few(rows: QuerySet[Any], column: str = "pk") -> set[int] | None:
    """The keys of events in a column of these rows; None if the rows are many.

    The rows are to be ordered as their index is, lest a database think it quicker to look for
    FEW of them in the table, from its beginning.
    """
    keys = list(rows.values_list(column, flat=True)[: FEW + 1])
    return set(keys) if len(keys) <= FEW else None


def page(asked: Asked, place: Place | None, *, older: bool, size: int) -> Page:
    """The rows next to a place, on its older or its newer side; from the end, if it is None."""
    if asked.keys is not None:
        named = asked.rows.filter(pk__in=asked.keys).order_by()
        return page_of(
            map(_place, named.values_list(*asked.columns)), place, older=older, size=size
        )
    end = None if asked.rows is asked.scope else _end(asked, place, older=older)
    rows = _beside(asked, asked.rows, place, older=older)
    if end is not None:
        side = "gte" if older else "lte"
        rows = rows.filter(**{f"{asked.columns[0]}__{side}": end})
    found = [_place(row) for row in rows.values_list(*asked.columns)[: size + 1]]
    return _paged(found, place, _after_all(asked, end, older=older), older=older, size=size)


def page_of(rows: Iterable[Place], place: Place | None, *, older: bool, size: int) -> Page:
    """The same of rows that are all known."""
    beside = (row for row in rows if place is None or (row < place) is older)
    return _paged(sorted(beside, reverse=older), place, None, older=older, size=size)


def _paged(
    found: Sequence[Place], place: Place | None, end: Place | None, *, older: bool, size: int
) -> Page:
    """What was found, up to so many rows; ``end`` is where the search ended."""
    if len(found) > size:
        last = found[size - 1]
        end = last if older else last._replace(pk=last.pk + 1)
    keys = [row.pk for row in found[:size]]
    return Page(keys, end, place) if older else Page(keys, place, end)


def _end(asked: Asked, place: Place | None, *, older: bool) -> Any:
    """The first column of the MOST-th row beside a place; None if no more than MOST are there."""
    column = asked.columns[0]
    beside = _beside(asked, asked.scope, place, older=older)
    in_order = beside.order_by(f"-{column}" if older else column).values_list(column, flat=True)
    last_and_next = list(in_order[MOST - 1 : MOST + 1])
    return last_and_next[0] if len(last_and_next) == 2 else None


def _after_all(asked: Asked, end: Any, *, older: bool) -> Place | None:
    """The place beyond all rows whose first column has this value."""
    if end is None:
        return None
    if asked.moment:
        return Place((end,), 0 if older else LAST)
    return Place((), end if older else end + 1)


def _beside(
    asked: Asked, rows: QuerySet[Any], place: Place | None, *, older: bool
) -> QuerySet[Any]:
    """The rows on one side of a place, the nearest first."""
    sign, near, beyond = ("-", "lte", "lt") if older else ("", "gte", "gt")
    rows = rows.order_by(*(f"{sign}{column}" for column in asked.columns))
    if place is None:
        return rows
    by_key = Q(**{"pk__lt" if older else "pk__gte": place.pk})
    if not asked.moment:
        return rows.filter(by_key)
    (moment,) = place.moments
    # The first condition is for the index, which makes nothing of the second.
    return rows.filter(
        Q(**{f"{asked.moment}__{near}": moment}),
        Q(**{f"{asked.moment}__{beyond}": moment}) | by_key,
    )


def _place(row: Sequence[Any]) -> Place:
    *moments, pk = row
    return Place(tuple(moments), pk)
