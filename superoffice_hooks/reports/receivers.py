"""The receivers of a window: how often each was called, how long that took, and how it ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Aggregate, Avg, Case, Count, F, Max, Q, QuerySet, When, Window
from django.db.models.functions import RowNumber

from ..models import ReceiverRun
from ..models.event_queryset import EventQuerySet
from ..receivers import Receiver, connected
from . import still_failed
from .windows import Window as TimeWindow

MAX_CALLS = 10_000
"""The number of calls with one outcome that are counted, the newest of the window."""
MAX_RECEIVERS = 200
SLOWEST = 0.95
"""The share of calls that take no longer than the p95."""

_DURATION = ReceiverRun._meta.get_field("duration")
_CALLED = (ReceiverRun.Outcome.SUCCEEDED, *ReceiverRun.UNSUCCESSFUL)
_FAILED = (ReceiverRun.Outcome.FAILED, ReceiverRun.Outcome.GAVE_UP)
# Of the runs of one call for several events, that of the newest.
_IS_CALL = Q(with_event=None) | Q(with_event=F("event"))


class Figures(NamedTuple):
    """What a receiver did in a window."""

    receiver: str
    connections: tuple[Receiver, ...] = ()
    """How it is connected, once for each signal and filter; empty if it is not."""
    calls: int = 0
    runs: int = 0
    """The runs of these calls: one for each event, of which a call may have several."""
    failed: int = 0
    """The calls that failed, or in which it gave up."""
    mean: timedelta | None = None
    p95: timedelta | None = None
    last_success: datetime | None = None
    last_failure: datetime | None = None
    error: str = ""
    """The first line of the last error."""
    still_failed: int = 0
    """The events that are still failed because of it."""

    @property
    def failure_rate(self) -> float | None:
        """Return the share of calls that failed; None if there was no call."""
        return self.failed / self.calls if self.calls else None


class Report(NamedTuple):
    """The receivers, and since when their calls are counted."""

    receivers: Sequence[Figures] = ()
    since: datetime | None = None
    """Later than the window begins, if it has more calls than are counted."""


class Percentile(Aggregate):
    """The smallest value that SLOWEST of the values do not exceed; PostgreSQL alone has it.

    The values of each receiver are sorted by themselves. As an aggregate of its own, PostgreSQL
    would sort all calls by their receiver first, on disk.
    """

    function = "ARRAY_AGG"
    template = (
        f"(SELECT PERCENTILE_DISC({SLOWEST}) WITHIN GROUP (ORDER BY one)"  # noqa: S608  (our own)
        " FROM UNNEST(%(function)s(%(expressions)s)) one)"
    )
    output_field = _DURATION


def receivers(
    window: TimeWindow, events: EventQuerySet | None = None, *, max_calls: int = MAX_CALLS
) -> Report:
    """Return the receivers that are connected and those that were called in the window.

    Seven queries; eight where the database has no percentiles. ``events`` restricts what is
    counted; None means all. Index: superoffice_run_outcome.
    """
    since = _since(window, max_calls)
    runs = ReceiverRun.objects.filter(
        outcome__in=_CALLED, started_at__gte=since, started_at__lt=window.until
    )
    if events is not None:
        runs = runs.filter(event__in=events.order_by().values("pk"))
    counted = {row["receiver"]: row for row in _counted(runs)}
    slowest = _slowest(runs, counted)
    failed = {row.receiver: row.events for row in still_failed.by_receiver(window, events)}
    connections_of = _connected()
    last = [row["last_failed"] for row in counted.values() if row["last_failed"]]
    # Not by key: what began last need not have ended last.
    errors = {
        (receiver, started_at): error
        for receiver, started_at, error in runs.filter(outcome__in=_FAILED, started_at__in=last)
        .order_by("pk")
        .values_list("receiver", "started_at", "error")
    }
    names = sorted({*counted, *failed, *connections_of})[:MAX_RECEIVERS]
    rows = {name: counted.get(name, {}) for name in names}
    return Report(
        [
            Figures(
                name,
                connections=tuple(connections_of.get(name, ())),
                calls=row.get("calls", 0),
                runs=row.get("runs", 0),
                failed=row.get("failed", 0),
                mean=row.get("mean"),
                p95=slowest.get(name),
                last_success=row.get("last_success"),
                last_failure=row.get("last_failed"),
                error=errors.get((name, row.get("last_failed")), "").partition("\n")[0],
                still_failed=failed.get(name, 0),
            )
            for name, row in rows.items()
        ],
        since if since > window.since else None,
    )


def _since(window: TimeWindow, max_calls: int) -> datetime:
    """Return when the window begins, or the oldest call that is counted was made."""
    since = window.since
    for outcome in (ReceiverRun.Outcome.SUCCEEDED, ReceiverRun.Outcome.FAILED):
        runs = ReceiverRun.objects.filter(
            outcome=outcome, started_at__gte=window.since, started_at__lt=window.until
        )
        newest = runs.order_by("-outcome", "-started_at").values_list("started_at", flat=True)
        beyond = list(newest[max_calls : max_calls + 1])
        since = max([since, *beyond])
    return since


def _counted(runs: QuerySet[ReceiverRun]) -> QuerySet[Any, Any]:
    failed = _IS_CALL & Q(outcome__in=_FAILED)
    succeeded = Q(outcome=ReceiverRun.Outcome.SUCCEEDED)
    # What is null does not count.
    duration = Case(When(_IS_CALL, then=F("duration")))
    percentile = {"p95": Percentile(duration)} if _has_percentiles(runs) else {}
    return (
        runs.order_by()
        .values("receiver")
        .annotate(
            calls=Count("pk", filter=_IS_CALL),
            runs=Count("pk"),
            failed=Count("pk", filter=failed),
            mean=Avg("duration", filter=_IS_CALL),
            last_success=Max("started_at", filter=succeeded),
            last_failed=Max("started_at", filter=failed),
            **percentile,
        )
    )


def _has_percentiles(runs: QuerySet[ReceiverRun]) -> bool:
    return connections[runs.db].vendor == "postgresql"


def _slowest(
    runs: QuerySet[ReceiverRun], counted: Mapping[str, Mapping[str, Any]]
) -> dict[str, timedelta]:
    """Return the duration that SLOWEST of each receiver's calls do not exceed."""
    if _has_percentiles(runs):
        return {receiver: row["p95"] for receiver, row in counted.items() if row["p95"] is not None}
    runs = runs.filter(_IS_CALL)
    of_receiver = F("receiver")
    in_order = F("duration"), F("pk")
    place = Window(RowNumber(), partition_by=of_receiver, order_by=in_order)
    number = Window(Count("pk"), partition_by=of_receiver)
    placed = runs.order_by().annotate(place=place, number=number)
    last = placed.filter(place__gte=F("number") * SLOWEST, place__lt=F("number") * SLOWEST + 1)
    return dict(last.values_list("receiver", "duration"))


def _connected() -> dict[str, list[Receiver]]:
    by_path: dict[str, list[Receiver]] = {}
    for receiver in connected():
        by_path.setdefault(receiver.path, []).append(receiver)
    return by_path
