"""Count calls and deliveries when they happen, in the process in which they happen.

prometheus_client keeps the numbers: in the memory of the process or, where PROMETHEUS_MULTIPROC_DIR
is set, in files that all processes of a machine share. No label has a text that a sender invented.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from prometheus_client import Counter, Histogram

from ...exceptions import STATUS_CODES
from ...models import ReceiverRun
from ...receiving.taking import Result, Taking, around_deliveries
from ...signals import receiver_ran

RUNS = Counter(
    "superoffice_hooks_runs",
    "Calls of receivers, by their recorded outcome",
    ["receiver", "outcome"],
)
RUN_SECONDS = Histogram(
    "superoffice_hooks_run_duration_seconds",
    "How long calls of a receiver took",
    ["receiver"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
DELIVERIES = Counter(
    "superoffice_hooks_deliveries",
    "Deliveries from SuperOffice, by their result",
    ["endpoint", "result"],
)
DELIVERY_SECONDS = Histogram(
    "superoffice_hooks_delivery_duration_seconds",
    "How long SuperOffice waited for the answer to a delivery",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DRAINED = Counter(
    "superoffice_hooks_drained", "Deliveries out of the spool, by their result", ["result"]
)
REJECTIONS = Counter(
    "superoffice_hooks_rejections", "Deliveries that were refused or kept as rejections", ["reason"]
)


def begin() -> None:
    """Count from now on."""
    receiver_ran.connect(_count_run, dispatch_uid=__name__)
    if _count_delivery not in around_deliveries:
        around_deliveries.append(_count_delivery)


def end() -> None:
    """Count no more."""
    receiver_ran.disconnect(dispatch_uid=__name__)
    if _count_delivery in around_deliveries:
        around_deliveries.remove(_count_delivery)


def _count_run(run: ReceiverRun, **kwargs: Any) -> None:
    RUNS.labels(run.receiver, str(run.outcome)).inc()
    RUN_SECONDS.labels(run.receiver).observe(run.duration.total_seconds())


@contextmanager
def _count_delivery(taken: Taking) -> Iterator[None]:
    began = monotonic()
    yield
    if taken.result in (Result.REFUSED, Result.REJECTED):
        REJECTIONS.labels(_reason(taken.reason)).inc()
    if taken.is_spooled:
        DRAINED.labels(str(taken.result)).inc()
        return
    # Anybody can invent an endpoint in the URL.
    endpoint = "" if taken.reason == "unknown endpoint" else taken.endpoint
    DELIVERIES.labels(endpoint, str(taken.result)).inc()
    DELIVERY_SECONDS.observe(monotonic() - began)


def _reason(reason: str) -> str:
    """Return a reason without the part that is different in each delivery."""
    if reason in STATUS_CODES:
        return reason
    return "not storable" if reason.startswith("not storable") else "not readable"
