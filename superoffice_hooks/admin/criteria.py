"""Criteria as the event list has them: from its filters, back to them, and in words."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR
from django.db.models import Exists, OuterRef, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from .. import moments
from ..models import Event
from ..selecting import Criteria, frozen, select
from ..values import storable_text
from . import showing
from .filters.received import PRESETS


def _ago(preset: str) -> datetime:
    return timezone.now() - PRESETS[preset][1]


def _one(text: str) -> tuple[str]:
    return (text,)


# What a list is shown by, but not filtered.
_IGNORED = {*IGNORED_PARAMS, PAGE_VAR} - {SEARCH_VAR}

# By parameter of the list: the criterion that says the same, and how its value is read.
_SAME: dict[str, tuple[str, Callable[[str], Any]]] = {
    "name": ("name", str),
    "entity": ("entity", str),
    "tenant": ("tenant", str),
    "changed": ("changed", _one),
    "status__exact": ("status", str),
    "status": ("status", str),
    "endpoint": ("endpoint", str),
    "endpoint__exact": ("endpoint", str),
    "webhook": ("webhook_name", str),
    "webhook_name": ("webhook_name", str),
    "received_at__gte": ("since", moments.read),
    "received_at__lt": ("until", moments.read),
    "received": ("since", _ago),
    "own": ("is_own", {"yes": True, "no": False}.__getitem__),
}


def of_filters(parameters: QueryDict) -> Criteria | None:
    """What the filters of a list ask for, as criteria; None if none say it."""
    asked = [(key, values) for key, values in parameters.lists() if key not in _IGNORED]
    try:
        given = [_criterion(key, values) for key, values in asked]
    except (LookupError, ValueError, OverflowError):
        return None
    # Two that mean the same column would overwrite each other.
    return Criteria(**dict(given)) if len(dict(given)) == len(given) else None


def of_list(parameters: QueryDict, shown: QuerySet[Event]) -> Criteria | None:
    """The events of a filtered list as criteria, and none that come in later; None if none say it.

    Whatever the filters may have meant: no event that the list does not have is selected.
    """
    criteria = of_filters(parameters)
    if criteria is None:
        return None
    criteria = frozen(criteria)
    listed = shown.order_by().filter(pk=OuterRef("pk"))
    beyond = select(criteria).filter(~Exists(listed))
    return None if beyond.exists() else criteria


def _criterion(parameter: str, values: list[str]) -> tuple[str, Any]:
    """The criterion of one parameter.

    Raises:
        LookupError: there is none, or the parameter is given more than once.
        ValueError: the value cannot be read.
    """
    criterion, read = _SAME[parameter]
    if len(values) != 1:
        raise LookupError(parameter)
    return criterion, read(storable_text(values[0]))


def list_query(stored: Mapping[str, Any]) -> str | None:
    """The query string with which the list shows the events; None if its filters cannot."""
    given = _known(stored)
    if given is None:
        return None
    given.pop("up_to", None)
    query: dict[str, str] = {}
    if {"entity", "primary_key"} <= given.keys():
        query[SEARCH_VAR] = f"{given.pop('entity')} {given.pop('primary_key')}"
    if "is_own" in given:
        query["own"] = "yes" if given.pop("is_own") else "no"
    for criterion, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        if criterion not in _PARAMETERS or len(values) > _PARAMETERS[criterion][1]:
            return None
        query[_PARAMETERS[criterion][0]] = ",".join(map(str, values))
    return urlencode(query)


# By criterion: the parameter of the list, and how many values it takes, separated by commas.
_PARAMETERS = {
    "ids": ("id__in", 100),
    "name": ("name", 1),
    "entity": ("entity", 1),
    "tenant": ("tenant", 1),
    "changed": ("changed", 1),
    "status": ("status__exact", 1),
    "endpoint": ("endpoint", 1),
    "webhook_name": ("webhook", 1),
    "since": ("received_at__gte", 1),
    "until": ("received_at__lt", 1),
}


def in_words(stored: Mapping[str, Any]) -> list[str]:
    """Stored criteria, one in each line; what this version does not know, as it was stored."""
    given = _known(stored)
    if given is None:
        return [json.dumps(stored, ensure_ascii=False)]
    lines = [_in_words(criterion, value) for criterion, value in given.items()]
    return list(filter(None, lines)) or [gettext("all events")]


def _known(stored: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return Criteria.from_json(stored).given()
    except ValueError:
        return None


def _in_words(criterion: str, value: Any) -> str:
    match criterion:
        case "ids":
            chosen = ngettext(
                "%(count)d event that was chosen", "%(count)d events that were chosen", len(value)
            )
            return chosen % {"count": len(value)}
        case "is_own":
            return gettext("our own") if value else gettext("not our own")
        case "latest":
            return gettext("only events that are not superseded")
        case "up_to":
            # Says which events were there when somebody looked; nobody asked for that.
            return ""
        case "since":
            return gettext("received at %(when)s or later") % {"when": showing.at(value)}
        case "until":
            return gettext("received before %(when)s") % {"when": showing.at(value)}
        case "limit":
            return gettext("the oldest %(count)d of them") % {"count": value}
    label = {
        "event_ids": gettext("event id"),
        "name": gettext("event name"),
        "entity": gettext("entity"),
        "primary_key": gettext("primary key"),
        "tenant": gettext("tenant"),
        "changed": gettext("changed field"),
        "status": gettext("status"),
        "endpoint": gettext("endpoint"),
        "webhook_name": gettext("webhook"),
    }[criterion]
    values = value if isinstance(value, tuple) else (value,)
    return gettext("%(what)s: %(values)s") % {
        "what": label,
        "values": gettext(" or ").join(map(str, values)),
    }
