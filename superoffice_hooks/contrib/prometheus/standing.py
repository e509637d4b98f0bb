"""What waits now, and who dispatches it. Each scrape reads a bounded number of rows."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import Error
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from ...models import Dispatcher, queue
from ...models.sessions import closed_if_opened
from ...receiving import spool
from ...reports.gatherings import MAX_GATHERINGS, Waiting
from ...reports.gauges import MAX_GAUGED, gauges
from ...wire.logs import get_logger

logger = get_logger(__name__)

_PREFIX = "superoffice_hooks_"


class StandingCollector:
    """Collects the figures of the whole project, which are the same in each of its processes.

    Those of the spool are of one machine.
    """

    def describe(self) -> list[Any]:
        """Describe nothing, so that registering runs no query."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from _spooled()
        metrics: list[GaugeMetricFamily] = []
        try:
            # prometheus_client's own server has a new thread for each scrape.
            with closed_if_opened(queue.using()):
                metrics = list(_stored())
        except Error:
            logger.warning("A scrape could not read the database", exc_info=True)
        yield from metrics
        yield _gauge("database_up", "Whether the database could be read", bool(metrics))


COLLECTOR = StandingCollector()


def register(registry: CollectorRegistry = REGISTRY) -> None:
    """Let a registry collect these figures, unless it does so already."""
    if COLLECTOR not in registry._collector_to_names:
        registry.register(COLLECTOR)


def _spooled() -> Iterator[GaugeMetricFamily]:
    now = spool.standing()
    age = now.age.total_seconds() if now.age else 0
    yield _gauge("spool_deliveries", "Deliveries in the spool of this machine", now.length)
    yield _gauge("spool_oldest_seconds", "How long the oldest of them has waited", age)
    yield _gauge("spool_bytes", "How many bytes they have", now.bytes)
    yield _gauge("spool_set_aside", "Deliveries that can never be stored", now.set_aside)


def _stored() -> Iterator[GaugeMetricFamily]:
    now = gauges()
    limit = f"up to {MAX_GAUGED}"
    yield _gauge("pending", f"Events in the queue, {limit}", now.pending)
    yield _gauge("due", f"Events that are due, {limit}", now.due)
    yield _gauge("overdue", f"Events that have been due for five minutes, {limit}", now.overdue)
    yield _gauge("oldest_due_seconds", "For how long the first event has been due", now.oldest_due)
    yield _gauge("failed", f"Events that have failed, {limit}", now.failed)
    yield _gauge("failure_groups_open", f"Failure groups that are open, {limit}", now.groups)
    yield from _gathered(now.gatherings)
    kinds = Counter(dispatcher.kind for dispatcher in now.dispatchers)
    living = GaugeMetricFamily(
        f"{_PREFIX}dispatchers", "Dispatchers that were seen lately", labels=["kind"]
    )
    for kind in sorted({*kinds, *Dispatcher.Kind.values}):
        living.add_metric([kind], kinds[kind])
    yield living
    lanes = sum(dispatcher.lanes for dispatcher in now.dispatchers)
    hung = sum(dispatcher.hung for dispatcher in now.dispatchers)
    yield _gauge("lanes", "Lanes of these dispatchers", lanes)
    yield _gauge("lanes_hung", "Lanes in a call that takes longer than CALL_SECONDS", hung)
    is_missing = now.is_dispatcher_missing
    yield _gauge("dispatcher_missing", "Whether a dispatcher is needed and none seen", is_missing)


def _gathered(waiting: Waiting) -> Iterator[GaugeMetricFamily]:
    limit = f"up to {MAX_GATHERINGS}"
    yield _gauge("gatherings", f"Gatherings that wait, {limit}", waiting.gatherings)
    yield _gauge("gatherings_due", f"Gatherings that are due, {limit}", waiting.due)
    overdue = waiting.overdue
    yield _gauge("gatherings_overdue", f"Gatherings due for five minutes, {limit}", overdue)
    seconds = waiting.oldest_due
    yield _gauge("gatherings_oldest_due_seconds", "How long the first has been due", seconds)


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}{name}", documentation, value=float(value))
