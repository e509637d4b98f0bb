"""The endpoints of a window: what each heard last, and whether it is unusually silent."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Exists, Max, QuerySet, Subquery
from django.utils import timezone

from .. import conf
from ..models import Event, FailureGroup
from ..models.event_queryset import EventQuerySet
from . import failure_groups, gatherings
from .counting import Counted
from .standing import MAX_ENDPOINTS, latest, newest_redeliveries, of_status
from .windows import Window

WEEKS = 4
"""The silence of an endpoint is compared with the same hours of so many weeks."""
USUAL = 3
"""An endpoint is unusually silent if each of these weeks had at least so many events then."""
PATIENCE = timedelta(hours=1)
"""A shorter silence is not compared."""
LONGEST = timedelta(hours=24)
"""Of a longer silence, only this much is compared."""
MAX_GROUPS = 1000
_JUST_NOW = timedelta(minutes=1)
"""A window that ended within this time ends now."""


class Heard(NamedTuple):
    """What an endpoint heard."""

    name: str
    last: datetime | None
    """When its last event or redelivery was let in; None for never."""
    is_silent: bool
    """Whether it is unusually silent."""


class Endpoints(NamedTuple):
    """The endpoints, and what the same query counts."""

    heard: list[Heard]
    failed: int
    """The number of events that have failed, up to MAX_COUNTED; then there may be more."""
    groups: int
    """The number of open failure groups with events that are still failed."""
    waiting: gatherings.Waiting
    """The gatherings."""

    @property
    def silent(self) -> tuple[str, ...]:
        """Return the names of those that are unusually silent."""
        return tuple(one.name for one in self.heard if one.is_silent)


def endpoints(window: Window, events: EventQuerySet | None = None) -> Endpoints:
    """Return the endpoints that the settings name, and those that had events in the window.

    Three queries. ``events`` are those that count, where not all do. Indexes:
    superoffice_event_received, superoffice_event_endpoint, superoffice_event_status,
    superoffice_gathering_queue.
    """
    rows = (Event.objects.all() if events is None else events).order_by()
    newest = _newest(window, rows)
    configured = conf.current().endpoints if events is None else ()
    again = latest(newest_redeliveries(events))
    names = sorted({*configured, *newest, *again})[:MAX_ENDPOINTS]
    groups = failure_groups.with_failures(FailureGroup.objects.opened(), events)
    counted = {
        "failed": Counted(of_status(Event.Status.FAILED, rows)),
        "groups": Counted(groups.order_by().values("pk")[:MAX_GROUPS]),
        **gatherings.columns(rows),
    }
    answers = _answers(rows, counted, names, newest, again)
    heard = []
    for number, name in enumerate(names):
        known = newest.get(name), again.get(name), answers.get(f"last_{number}")
        last = max(filter(None, known), default=None)
        heard.append(Heard(name, last, _is_silent(answers, number)))
    failed, with_failures = answers.get("failed", 0), answers.get("groups", 0)
    return Endpoints(heard, failed, with_failures, gatherings.read(answers))


def _newest(window: Window, rows: EventQuerySet) -> dict[str, datetime]:
    """Return when each endpoint had its newest event, in the window or in the time compared."""
    heard, now = window.events(rows), timezone.now()
    if window.until < now - _JUST_NOW:
        heard |= rows.filter(received_at__gte=now - LONGEST)
    return dict(heard.values_list("endpoint").annotate(Max("received_at")))


def _answers(
    rows: EventQuerySet,
    counted: Mapping[str, Any],
    names: list[str],
    newest: Mapping[str, datetime],
    again: Mapping[str, datetime],
) -> dict[str, Any]:
    """Return the results of many small look-ups, all in one query."""
    now = timezone.now()
    columns: dict[str, Any] = {**counted}
    for number, name in enumerate(names):
        heard = rows.filter(endpoint=name)
        # There may be a newer event after the end of the window.
        if name not in newest or newest[name] < now - LONGEST:
            last = heard.order_by("-endpoint", "-received_at").values("received_at")
            columns[f"last_{number}"] = Subquery(last[:1])
        known = [times[name] for times in (newest, again) if name in times]
        silence = min(now - max(known), LONGEST) if known else LONGEST
        if silence < PATIENCE:
            continue
        for week in range(1, WEEKS + 1):
            until = now - timedelta(weeks=week)
            then = heard.received_between(until - silence, until)
            usual = then.order_by("endpoint", "received_at")[USUAL - 1 : USUAL]
            columns[f"week_{number}_{week}"] = Exists(usual)
    # Any event will do: without one, there is nothing to find.
    anchor: QuerySet[Any, Any] = rows.order_by("pk").values(**columns)
    return anchor.first() or {}


def _is_silent(answers: Mapping[str, Any], number: int) -> bool:
    return all(answers.get(f"week_{number}_{week}") for week in range(1, WEEKS + 1))
