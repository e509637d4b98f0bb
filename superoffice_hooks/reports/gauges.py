"""Gauges: the figures that a monitor reads again and again, so they are cheap.

Two queries, which read no row of an event: a backlog must not make them slower.
"""

from typing import Any, NamedTuple

from django.db.models import QuerySet, Subquery

from ..models import Dispatcher, Event, FailureGroup, clock, queue
from ..models.clock import NOW, InSeconds
from . import gatherings
from .counting import ComposedOnce, Counted
from .stages import OVERDUE_SECONDS
from .standing import is_dispatcher_meant, of_status

MAX_GAUGED = 1000
"""How many rows are counted; then there may be more."""


class Gauges(NamedTuple):
    """What waits, what failed, and who dispatches. Numbers of events go up to MAX_GAUGED."""

    pending: int
    """The events in the queue."""
    due: int
    overdue: int
    """The events that have been due for more than OVERDUE_SECONDS."""
    oldest_due: float
    """The seconds for which the first of them has been due; 0 if none is."""
    gatherings: gatherings.Waiting
    failed: int
    """The events that have failed for good."""
    groups: int
    """The failure groups that are open."""
    dispatchers: list[Dispatcher]
    """The dispatchers that were seen lately."""
    is_dispatcher_missing: bool
    """Whether none was, and one is meant to be."""


def gauges() -> Gauges:
    """Return the gauges; two queries.

    Indexes: superoffice_event_queue, superoffice_gathering_queue, superoffice_event_status.
    """
    using = queue.using()
    answers = _counts.first_row(using)
    dispatchers = [one for one in Dispatcher.objects.using(using).newest() if one.is_living]
    return Gauges(
        pending=answers.get("pending", 0),
        due=answers.get("due", 0),
        overdue=answers.get("overdue", 0),
        oldest_due=gatherings.seconds_due(answers.get("due_at"), answers.get("now")),
        gatherings=gatherings.read(answers),
        failed=answers.get("failed", 0),
        groups=answers.get("groups", 0),
        dispatchers=dispatchers,
        is_dispatcher_missing=not dispatchers and is_dispatcher_meant(),
    )


def _query() -> QuerySet[Any, Any]:
    events = queue.events().order_by()
    waiting = events.unfinished().order_by("next_attempt_at", "pk")

    def counted(rows: QuerySet[Any, Any]) -> Counted:
        return Counted(rows.values("pk")[:MAX_GAUGED])

    columns = {
        **gatherings.columns(events),
        "pending": counted(waiting),
        "due": counted(waiting.filter(next_attempt_at__lte=NOW)),
        "overdue": counted(waiting.filter(next_attempt_at__lt=InSeconds(-OVERDUE_SECONDS))),
        "due_at": Subquery(waiting.values("next_attempt_at")[:1]),
        "failed": Counted(of_status(Event.Status.FAILED, events)[:MAX_GAUGED]),
        "groups": counted(FailureGroup.objects.using(events.db).opened().order_by()),
    }
    # Any event will do: without one, nothing waits and nothing has failed.
    return events.order_by("pk").values(**columns)


_counts = ComposedOnce(_query, clock.is_constant)
