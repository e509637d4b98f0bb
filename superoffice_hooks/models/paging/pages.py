"""Pages of a long table, in the order of receipt.

If an index says that up to MAX_KEYS rows meet a condition, the pages have exactly these. Otherwise
up to MAX_ROWS rows are scanned for a page. So a page can be short although more rows follow.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

MAX_ROWS = 10_000
"""The maximum number of rows that are scanned for one page."""
MAX_KEYS = 1000
"""The maximum number of keys in a query."""
LAST = 2**63 - 1
"""No primary key is higher."""


class Place(NamedTuple):
    """A place in the order of rows: just before the row with this key, whether or not it exists."""

    times: tuple[datetime, ...]
    pk: int


class Page(NamedTuple):
    """A page of rows, and the places where the pages before and after it begin."""

    keys: list[int]
    """Primary keys, in the direction in which they were read."""
    older: Place | None
    """Where older rows begin; None if there are none."""
    newer: Place | None
    """Where newer rows begin; None if none are known."""


class Listing(NamedTuple):
    """The rows of a table that pages are made of."""

    scope: QuerySet[Any]
    """All rows of a period; an index has them in order."""
    rows: QuerySet[Any]
    """The rows of the scope that meet all conditions."""
    keys: set[int] | None = None
    """The keys of all rows that may meet them, if there are up to MAX_KEYS."""
    time: str = "received_at"
    """The column with the time of receipt; empty if the table is in the order of its key."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that order the rows."""
        return (self.time, "pk") if self.time else ("pk",)


def keys_of(rows: QuerySet[Any], column: str = "pk") -> set[int] | None:
    """Return the keys in a column of these rows; None if there are more than MAX_KEYS rows.

    Order the rows as their index does, or a database may scan the table from its beginning.
    """
    keys = list(rows.values_list(column, flat=True)[: MAX_KEYS + 1])
    return set(keys) if len(keys) <= MAX_KEYS else None


def page(listing: Listing, place: Place | None, *, older: bool, size: int) -> Page:
    """Return the rows next to a place, on its older or newer side; None is the end of the table."""
    if listing.keys is not None:
        named = listing.rows.filter(pk__in=listing.keys).order_by()
        return page_of(
            map(_place, named.values_list(*listing.columns)), place, older=older, size=size
        )
    end = None if listing.rows is listing.scope else _end(listing, place, older=older)
    rows = _beside(listing, listing.rows, place, older=older)
    if end is not None:
        side = "gte" if older else "lte"
        rows = rows.filter(**{f"{listing.columns[0]}__{side}": end})
    places = [_place(row) for row in rows.values_list(*listing.columns)[: size + 1]]
    return _paged(places, place, _after_all(listing, end, older=older), older=older, size=size)


def page_of(rows: Iterable[Place], place: Place | None, *, older: bool, size: int) -> Page:
    """Return a page of these rows, which are all rows."""
    beside = (row for row in rows if place is None or (row < place) is older)
    return _paged(sorted(beside, reverse=older), place, None, older=older, size=size)


def _paged(
    rows: Sequence[Place], place: Place | None, end: Place | None, *, older: bool, size: int
) -> Page:
    """Return a page of these rows; ``end`` is where the scan ended."""
    if len(rows) > size:
        last = rows[size - 1]
        end = last if older else last._replace(pk=last.pk + 1)
    keys = [row.pk for row in rows[:size]]
    return Page(keys, end, place) if older else Page(keys, place, end)


def _end(listing: Listing, place: Place | None, *, older: bool) -> Any:
    """Return the first column of the MAX_ROWS-th row beside a place; None if it is the last."""
    column = listing.columns[0]
    beside = _beside(listing, listing.scope, place, older=older)
    in_order = beside.order_by(f"-{column}" if older else column).values_list(column, flat=True)
    last_and_next = list(in_order[MAX_ROWS - 1 : MAX_ROWS + 1])
    return last_and_next[0] if len(last_and_next) == 2 else None


def _after_all(listing: Listing, end: Any, *, older: bool) -> Place | None:
    """Return the place beyond all rows whose first column has this value."""
    if end is None:
        return None
    if listing.time:
        return Place((end,), 0 if older else LAST)
    return Place((), end if older else end + 1)


def _beside(
    listing: Listing, rows: QuerySet[Any], place: Place | None, *, older: bool
) -> QuerySet[Any]:
    """Return the rows on one side of a place, the nearest first."""
    sign, near, beyond = ("-", "lte", "lt") if older else ("", "gte", "gt")
    rows = rows.order_by(*(f"{sign}{column}" for column in listing.columns))
    if place is None:
        return rows
    by_key = Q(**{"pk__lt" if older else "pk__gte": place.pk})
    if not listing.time:
        return rows.filter(by_key)
    (time,) = place.times
    # The first condition is for the index, because an index cannot be used for the second.
    return rows.filter(
        Q(**{f"{listing.time}__{near}": time}),
        Q(**{f"{listing.time}__{beyond}": time}) | by_key,
    )


def _place(row: Sequence[Any]) -> Place:
    *times, pk = row
    return Place(tuple(times), pk)
