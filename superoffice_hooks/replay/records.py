"""Count the records of events, in one statement that reads the events once.

Django's querysets have no subquery in FROM. With one, a database can join all records at once. With
the subqueries that Django has, PostgreSQL looks up the events of one record after the other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Coalesce

from ..models import Event
from ..models.event_queryset import EventQuerySet

_RECORD = ("primary_key", "entity", "tenant")


class Records(NamedTuple):
    """The records of some events."""

    events: int
    records: int
    superseded: int
    """The number of records that have a newer event than all of these."""
    newest: list[int]
    """For each condition, the number of records with an event that meets it.

    An event without a record counts as a record."""


def count_records(
    events: EventQuerySet, conditions: Sequence[Q | None] = (), newer_than: int = 0
) -> Records:
    """Count the records of the events, and those of the events that meet each condition.

    Only events with a higher key than ``newer_than`` count as newer ones; 0 means all events. If
    two events occurred at the same time and were received out of order, one may be overlooked.
    """
    sums = {
        f"c{n}": Count("pk") if condition is None else Count("pk", filter=condition)
        for n, condition in enumerate(conditions)
    }
    of_record = (
        events.order_by()
        .values(*_RECORD)
        .annotate(
            events=Count("pk"),
            happened=Max(Coalesce("occurred_at", "received_at")),
            received=Max("received_at"),
            last=Max("pk"),
            **sums,
        )
    )
    table = connections[events.db].ops.quote_name(Event._meta.db_table)
    newest = "".join(
        f", SUM(CASE WHEN primary_key IS NULL THEN {name} WHEN {name} > 0 THEN 1 ELSE 0 END)"
        for name in sums
    )
    happened = "COALESCE(e.occurred_at, e.received_at)"
    rows = _rows(
        of_record,
        (*_RECORD, "events", "happened", "received", "last", *sums),
        f"""
        SELECT SUM(events), COUNT(primary_key), (
            SELECT COUNT(*) FROM (
                SELECT DISTINCT r.primary_key, r.entity, r.tenant FROM rows_of r JOIN {table} e
                ON e.primary_key = r.primary_key AND e.entity = r.entity AND e.tenant = r.tenant
                WHERE e.id > {newer_than:d} AND ({happened} > r.happened OR (
                    {happened} = r.happened AND (
                        e.received_at > r.received OR (e.received_at = r.received AND e.id > r.last)
                    )
                ))
            ) superseded
        ){newest} FROM rows_of
        """,  # noqa: S608  (our own names)
    )
    counts = [int(count or 0) for row in rows for count in row] or [0] * (3 + len(sums))
    return Records(counts[0], counts[1], counts[2], counts[3:])


def count_by_receiver(runs: QuerySet[Any]) -> dict[str, int]:
    """Count the records of the events of some runs, by receiver.

    An event without a record counts as a record.
    """
    columns = ("receiver", *(f"event__{name}" for name in _RECORD))
    counts = runs.order_by().values(*columns).annotate(events=Count("pk"))
    rows = _rows(
        counts,
        ("receiver", *_RECORD, "events"),
        "SELECT receiver, SUM(CASE WHEN primary_key IS NULL THEN events ELSE 1 END)"
        " FROM rows_of GROUP BY receiver",
    )
    return {path: int(count) for path, count in rows}


def _rows(queryset: QuerySet[Any], columns: Sequence[str], statement: str) -> list[Any]:
    """Return the rows of a statement on ``rows_of``, which has the rows of a queryset."""
    try:
        sql, parameters = queryset.query.get_compiler(queryset.db).as_sql()
    except EmptyResultSet:
        return []
    with connections[queryset.db].cursor() as cursor:
        cursor.execute(f"WITH rows_of ({', '.join(columns)}) AS ({sql}) {statement}", parameters)
        return list(cursor.fetchall())
