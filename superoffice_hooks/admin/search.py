"""The search box of the event list."""

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Q, QuerySet, Subquery

from ..models import Event, ReceiverRun
from ..models.paging.conditions import Changed, Ran, Related, Where
from ..models.paging.pages import keys_of
from ..receivers import connected

# No more digits than a 64-bit number has, and no entity has a space in its name.
_RECORD = re.compile(r"(?:(?P<entity>\S+)\s+)?#?(?P<primary_key>-?[0-9]{1,19})", re.ASCII)

RECENT_RUNS = 1000
"""How many of the newest runs with each unsuccessful outcome are searched for an error's words."""
_MAX_RECEIVERS = 3


def search(events: QuerySet[Event], term: str) -> tuple[QuerySet[Event], bool]:
    """Return the events that match a term, and whether an index named them (up to MAX_KEYS).

    A term is an EventId; the number of a record, with or without its entity; or else a tenant, a
    changed field, a receiver, or words of the error of a recent run. If it is none of these, it is
    the beginning of a webhook's name. These names have no index: it would slow each delivery
    down.
    """
    term = term.strip()
    if not term:
        return events, False
    try:
        return events.filter(event_id=UUID(term)), True
    except ValueError:
        pass
    if match := _RECORD.fullmatch(term):
        of_record: dict[str, int | str] = {"primary_key": int(match["primary_key"])}
        if match["entity"]:
            of_record["entity"] = match["entity"].lower()
        rows = Event.objects.using(events.db).filter(**of_record)
        keys = keys_of(rows.order_by("primary_key", "entity"))
        if keys is None:
            return events.filter(**of_record), False
        # "category 7" is no record, but may be part of an error.
        if keys:
            return events.filter(pk__in=keys), True
    return _any(events, term)


def _any(events: QuerySet[Event], term: str) -> tuple[QuerySet[Event], bool]:
    """Return the events that match a word in any of its meanings."""
    keys = _with_error(events, term)
    many: list[Q] = []
    for number, condition in enumerate(_meanings(term)):
        known = condition.keys(events.db)
        if known is not None:
            keys |= known
        else:
            row = Subquery(condition.rows_of_event(events.db).order_by().values("pk")[:1])
            events = events.alias(**{f"search_{number}": row})
            many.append(Q(**{f"search_{number}__isnull": False}))
    _events, of_tenant = Where(Q(tenant=term), ("tenant",)).narrow(events)
    if of_tenant is None:
        many.append(Q(tenant=term))
    keys |= of_tenant or set()
    if many:
        return events.filter(reduce(or_, many, Q(pk__in=keys))), False
    if keys:
        return events.filter(pk__in=keys), True
    return events.filter(webhook_name__istartswith=term), False


def _meanings(term: str) -> Iterator[Related]:
    """Yield the conditions of a changed field of this name, and of receivers."""
    yield Changed((term,))
    paths = {receiver.path for receiver in connected() if term.lower() in receiver.path.lower()}
    # A receiver that is no longer connected must be typed with its whole path.
    typed = {term} if "." in term else set()
    for path in sorted(typed | set(sorted(paths)[:_MAX_RECEIVERS])):
        yield Ran(path)


def _with_error(events: QuerySet[Event], term: str) -> set[int]:
    """Return the keys of events whose recent runs have the words in the line of their error.

    One query for all outcomes. Index: superoffice_run_outcome.
    """
    runs = ReceiverRun.objects.using(events.db).order_by("-started_at")
    parts: list[str] = []
    parameters: list[Any] = []
    for outcome in ReceiverRun.UNSUCCESSFUL:
        newest = runs.filter(outcome=outcome).values_list("event_id", "error")[:RECENT_RUNS]
        sql, values = newest.query.sql_with_params()
        # Not every database takes LIMIT in a part of UNION.
        parts.append(f"SELECT * FROM ({sql}) AS {outcome.value}")  # noqa: S608  (parameters apart)
        parameters += values
    with connections[events.db].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        # Compared in Python: each database ignores case in its own way.
        return {event for event, error in cursor.fetchall() if term.lower() in error.lower()}
