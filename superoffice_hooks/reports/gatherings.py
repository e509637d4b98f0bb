"""Gatherings: the calls for several events together that wait, and those that nobody makes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from ..models import Event, Gathering, ReceiverRun
from ..models.clock import NOW, InSeconds
from ..models.event_queryset import EventQuerySet
from .counting import Counted
from .stages import OVERDUE_SECONDS

MAX_GATHERINGS = 1000
"""The number of gatherings that are counted, those to be called next."""


class Waiting(NamedTuple):
    """The gatherings that wait, for quiet, for a full batch, or for a dispatcher."""

    gatherings: int = 0
    """Up to MAX_GATHERINGS; then there may be more."""
    due: int = 0
    """How many of them are due."""
    overdue: int = 0
    """How many have been due for more than OVERDUE_SECONDS."""
    oldest_due: float = 0.0
    """The seconds for which the first of them has been due; 0 if none is."""


def columns(events: EventQuerySet) -> dict[str, Any]:
    """Return columns of a query, from which ``read`` has what waits.

    ``events`` are those that count, and one of them is the row of that query: without an event
    there is no gathering. Index: superoffice_gathering_queue.
    """
    rows = Gathering.objects.using(events.db).exclude(next_attempt_at=None).order_by()
    if events.query.where:
        joined = ReceiverRun.objects.using(events.db).filter(gathering=OuterRef("pk"))
        rows = rows.filter(Exists(joined.filter(event__in=events.order_by().values("pk"))))

    def counted(**condition: Any) -> Counted:
        first = rows.filter(**condition).order_by("next_attempt_at", "pk")
        return Counted(first.values("pk")[:MAX_GATHERINGS])

    return {
        "gatherings": counted(),
        "gatherings_due": counted(next_attempt_at__lte=NOW),
        "gatherings_overdue": counted(next_attempt_at__lt=InSeconds(-OVERDUE_SECONDS)),
        "gathering_due_at": Subquery(
            rows.order_by("next_attempt_at", "pk").values("next_attempt_at")[:1]
        ),
        # By the clock that decides what is due, which may differ from this machine's.
        "now": InSeconds(0),
    }


def read(answers: Mapping[str, Any]) -> Waiting:
    """Return what waits, from the row of a query with our columns; nothing without a row."""
    return Waiting(
        gatherings=answers.get("gatherings", 0),
        due=answers.get("gatherings_due", 0),
        overdue=answers.get("gatherings_overdue", 0),
        oldest_due=seconds_due(answers.get("gathering_due_at"), answers.get("now")),
    )


def seconds_due(due_at: datetime | None, now: datetime | None) -> float:
    """Return for how many seconds something has been due; 0 if it is not."""
    return max((now - due_at).total_seconds(), 0.0) if due_at and now else 0.0


def waiting(events: EventQuerySet | None = None) -> Waiting:
    """Return the gatherings that wait; one query. ``events`` are those that count."""
    rows = Event.objects.all() if events is None else events
    anchor: QuerySet[Any, Any] = rows.order_by("pk").values(**columns(rows))
    return read(anchor.first() or {})
