"""Make criteria of the filters of the event list, filters of criteria, and words of them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR
from django.db.models import Exists, OuterRef, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext

from ..models import Event
from ..replay.criteria import TABLE, Criteria, frozen, offered, select
from ..replay.value_kinds import Flag, Text, Time, Word
from . import display
from .filters.received import PRESETS, ReceivedFilter
from .filters.rows import value_of

# Parameters of the list that are no filters.
_IGNORED = {*IGNORED_PARAMS, PAGE_VAR} - {SEARCH_VAR}
MAX_LINKED = 100
"""Ids in a link."""

_BY_PARAMETER = {name: row for row in offered("admin") for name in row.parameters}


def of_filters(parameters: QueryDict) -> Criteria | None:
    """Return the filters of a list as criteria; None if one has no equivalent."""
    filters = [(key, values) for key, values in parameters.lists() if key not in _IGNORED]
    try:
        pairs = [_criterion(key, values) for key, values in filters]
    except (LookupError, ValueError, OverflowError):
        return None
    values = dict(pairs)
    # Two filters by the same criterion: one would be lost.
    return Criteria(**values) if len(values) == len(pairs) else None


def of_list(parameters: QueryDict, shown: QuerySet[Event]) -> Criteria | None:
    """Return criteria for the events of a filtered list, without later events; None if impossible.

    The criteria select no event that the list does not have.
    """
    criteria = of_filters(parameters)
    if criteria is None:
        return None
    criteria = frozen(criteria)
    listed = shown.order_by().filter(pk=OuterRef("pk"))
    beyond = select(criteria).filter(~Exists(listed))
    return None if beyond.exists() else criteria


def _criterion(parameter: str, values: list[str]) -> tuple[str, Any]:
    """Return the criterion of one parameter and its value.

    Raises:
        LookupError: there is no such criterion, or the parameter has several values.
        ValueError: the value cannot be read.
    """
    if len(values) != 1:
        raise LookupError(parameter)
    if parameter == ReceivedFilter.PRESET:
        return "since", timezone.now() - PRESETS[values[0]][1]
    row = _BY_PARAMETER[parameter]
    return row.name, value_of(row, values[0])


def list_query(stored: Mapping[str, Any]) -> str | None:
    """Return the query string with which the list shows the events; None if it cannot."""
    values = _known(stored)
    if values is None:
        return None
    values.pop("up_to", None)
    query: dict[str, str] = {}
    if {"entity", "primary_key"} <= values.keys():
        query[SEARCH_VAR] = f"{values.pop('entity')} {values.pop('primary_key')}"
    for name, value in values.items():
        row = TABLE[name]
        several = value if isinstance(value, tuple) else (value,)
        if "admin" in row.absent or len(several) > (
            1 if isinstance(row.kind, Text) else MAX_LINKED
        ):
            return None
        texts = ("yes" if value else "no",) if isinstance(row.kind, Flag) else map(str, several)
        query[row.parameters[0]] = ",".join(texts)
    return urlencode(query)


def in_words(stored: Mapping[str, Any]) -> list[str]:
    """Return stored criteria in words, a line each; those of another version as JSON."""
    values = _known(stored)
    if values is None:
        return [json.dumps(stored, ensure_ascii=False)]
    lines = [_in_words(criterion, value) for criterion, value in values.items()]
    return list(filter(None, lines)) or [gettext("all events")]


def _known(stored: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return Criteria.from_json(stored).values()
    except ValueError:
        return None


def _in_words(name: str, value: Any) -> str:
    row = TABLE[name]
    if isinstance(row.kind, Flag):
        return str(row.words[0 if value else 1])
    values = value if isinstance(value, tuple) else (value,)
    if row.words is not None:
        count = len(value) if row.many else value
        when = display.at(value) if isinstance(row.kind, Time) else ""
        return str(row.words % {"count": count, "when": when}) if row.words else ""
    # A word of a fixed set is shown as pages show it.
    words = dict(row.kind.choices) if isinstance(row.kind, Word) else {}
    join = gettext(" and ") if name == "changed_all" else gettext(" or ")
    joined = join.join(str(words.get(value, value)) for value in values)
    return gettext("%(what)s: %(values)s") % {"what": row.label, "values": joined}
