"""Answer the fake's queries of archives, with the filters that SuperOffice has."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from .faults import Reply, error

Row = dict[str, Any]

BASE_ZONE = ZoneInfo("Europe/Oslo")
"""The tenant's base time zone, which is not UTC and has summer time."""
IN_BASE_ZONE = {"created_at", "last_changed", "log_when", "when_requested", "idle", "when_ended"}
"""Columns of Service, whose times are in the base time zone. All others are in UTC."""

_DELETED = ".deleteddate"
_TERM = re.compile(
    r"\s*([\w./:]+)\s+(gt|lt|eq|=|in|afterTime|beforeTime|le|ge)\s+(\([^)]*\)|'[^']*'|\S+)\s*",
    re.IGNORECASE,
)


def answer(
    query: Mapping[str, str],
    rows: Iterable[Row],
    *,
    page: int,
    link: str = "",
    may_see: Callable[[Row], bool] = lambda row: True,
) -> Reply:
    """Answer a query of ``$select``, ``$filter`` with ``and``, ``$orderby``, ``$top``, ``$skip``.

    Args:
        query: as it was sent.
        rows: all rows. Times are datetimes, and are shown without their offset.
        page: the maximum number of rows in an answer, even if ``$top`` is higher.
        link: the address that links to a next page begin with; empty for no links.
        may_see: whether our user may see a row. A page is shorter by the rows that it may not.
    """
    lowered = {key.lower(): value for key, value in query.items()}
    try:
        fits = _filter(lowered.get("$filter", ""))
        # A query that names the date of deletion gets deleted rows, too.
        with_deleted = _DELETED in (lowered.get("$select", "") + lowered.get("$filter", "")).lower()
        shown = [_shown(row) for row in rows if with_deleted or not _is_deleted(row)]
        selected = [row for row in shown if fits(row)]
    except _Failed as problem:
        return error(500, "SoException", str(problem))
    if order := lowered.get("$orderby"):
        selected.sort(key=lambda row: row.get(order) or 0)
    top, skip = int(lowered.get("$top") or page), int(lowered.get("$skip") or 0)
    end = skip + min(top, page)
    columns = [name.strip() for name in lowered.get("$select", "").split(",") if name.strip()]
    value = [
        {
            "PrimaryKey": str(row.get(columns[0]) if columns else ""),
            "EntityName": "row",
            **{name: row.get(name) for name in columns},
        }
        for row in selected[skip:end]
        if may_see(row)
    ]
    left = skip + top - end
    following = None
    if link and left > 0 and len(selected) > end:
        following = f"{link}?{urlencode({**lowered, '$skip': end, '$top': left})}"
    return Reply(body={"odata.metadata": "$metadata", "odata.nextLink": following, "value": value})


class _Failed(Exception):
    """A filter for which SuperOffice fails."""


def _is_deleted(row: Row) -> bool:
    return any(value and name.lower().endswith(_DELETED) for name, value in row.items())


def _shown(row: Row) -> Row:
    """Return a row with its times as text, as filters compare them."""
    return {
        name: _as_text(name, value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _as_text(name: str, value: datetime) -> str:
    # The header SO-TimeZone changes nothing: whether archives obey it is not documented.
    zone = BASE_ZONE if name.rpartition(".")[2] in IN_BASE_ZONE else UTC
    return f"{value.astimezone(zone):%Y-%m-%dT%H:%M:%S}"


def _filter(text: str) -> Callable[[Row], bool]:
    terms = [_term(part) for part in re.split(r"\s+and\s+", text) if part.strip()]
    return lambda row: all(fits(row) for fits in terms)


def _term(text: str) -> Callable[[Row], bool]:
    read = _TERM.fullmatch(text)
    if read is None or read[2].lower() in ("le", "ge"):
        raise _Failed(f"Restriction {text!r} fails.")
    name, operator, written = read[1], read[2].lower(), read[3]
    if operator == "in":
        among = {_value(part) for part in written.strip("()").split(",")}
        return lambda row: row.get(name) in among
    value = _value(written)
    compare: dict[str, Callable[[Any], bool]] = {
        "gt": lambda cell: cell > value,
        "lt": lambda cell: cell < value,
        "eq": lambda cell: cell == value,
        "=": lambda cell: cell == value,
        "aftertime": lambda cell: cell >= value,
        "beforetime": lambda cell: cell < value,
    }
    return lambda row: row.get(name) is not None and compare[operator](row[name])


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("'"):
        return text.strip("'")
    return int(text) if re.fullmatch(r"-?\d+", text) else text
