"""What is still failed: the events for which the last run of a receiver was no success.

Those to be retried are among them; those that a person has handled are not.
"""

from collections import Counter
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet

from ..models import Event, FailureGroup, ReceiverRun
from ..models.event_queryset import EventQuerySet
from ..models.failure_group import SEEN_EVERY_SECONDS
from . import failure_groups
from .windows import Window


class StillFailed(NamedTuple):
    """The events of a window that are still failed because of one receiver."""

    receiver: str
    events: int


def by_receiver(window: Window, events: EventQuerySet | None = None) -> list[StillFailed]:
    """Return the receivers with events that are still failed, highest count first.

    Three queries. ``events`` are those that count, where not all do. Indexes:
    superoffice_group_seen, superoffice_run_group, superoffice_run_outcome.
    """
    counts = Counter[str]()
    # Nothing runs before its event was received.
    since = window.since - timedelta(seconds=SEEN_EVERY_SECONDS)
    groups = dict(FailureGroup.objects.filter(last_seen__gte=since).values_list("pk", "receiver"))
    for group, count in failure_groups.still_failed(groups, window.events(events)).items():
        counts[groups[group]] += count
    counts.update(dict(_without_group(window, events)))
    rows = (StillFailed(receiver, count) for receiver, count in counts.items() if count)
    return sorted(rows, key=lambda row: (-row.events, row.receiver))


def _without_group(window: Window, events: EventQuerySet | None) -> QuerySet[Any, Any]:
    """Count the events whose failure is in no group, such as those that a receiver postponed."""
    runs = ReceiverRun.objects.filter(
        group=None,
        started_at__gte=window.since,
        event__received_at__gte=window.since,
        event__received_at__lt=window.until,
    ).exclude(event__status=Event.Status.HANDLED)
    if events is not None:
        runs = runs.filter(event__in=events.order_by().values("pk"))
    rows = runs.failing().order_by().values_list("receiver")
    return rows.annotate(Count("event", distinct=True))
