"""Standing: what waits now, who dispatches it, and when each endpoint had its last delivery."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from .. import conf
from ..models import Dispatcher, Event, Redelivery, queue
from ..models.clock import InSeconds
from ..models.event_queryset import EventQuerySet
from ..receiving import spool
from ..wire import event_names
from . import gatherings
from .stages import OVERDUE_SECONDS

MAX_PENDING = 1000
"""The number of pending events that are counted, those to be dispatched next."""
MAX_COUNTED = 10_000
"""The number of events of one status that are counted."""
MAX_REDELIVERIES = 1000
"""The number of redeliveries that are read, the newest ones."""
MAX_ENDPOINTS = 100


class Pending(NamedTuple):
    """The events that wait to be dispatched."""

    events: int
    """Up to MAX_PENDING; then there may be more."""
    oldest: Event | None
    """The event received first. Its payload, body and headers are not loaded."""


class Standing(NamedTuple):
    """The events of one status."""

    status: str
    events: int
    """Up to MAX_COUNTED; then there may be more."""


class Endpoint(NamedTuple):
    """The last delivery and the last test of an endpoint; None for never."""

    name: str
    last_delivery: datetime | None
    last_test: datetime | None


class Dispatching(NamedTuple):
    """Whether what is due is dispatched."""

    pending: Pending
    due: int
    """The number of events that are due, up to MAX_PENDING; then there may be more."""
    overdue: int
    """How many of them have been due for more than OVERDUE_SECONDS."""
    oldest_due: float
    """The seconds for which the first of them has been due; 0 if none is."""
    waiting: gatherings.Waiting
    """The gatherings."""
    dispatchers: list[Dispatcher]
    """The dispatchers that were seen lately."""
    last_seen: datetime | None
    """When a dispatcher was last seen; None for never."""
    spool: spool.Standing
    """What waits in the spool of this machine."""


def pending() -> Pending:
    """Return what waits to be dispatched."""
    return _pending(_queue(None))


def dispatching(
    events: EventQuerySet | None = None, waiting: gatherings.Waiting | None = None
) -> Dispatching:
    """Return whether what is due is dispatched; two queries, and one more without ``waiting``.

    ``events`` are those that count, where not all do. ``waiting`` are the gatherings, if the caller
    has them.
    """
    first = _queue(events)
    waits = [(event.now - event.next_attempt_at).total_seconds() for event in first]
    dispatchers = list(Dispatcher.objects.using(queue.using()).newest())
    return Dispatching(
        pending=_pending(first),
        due=sum(seconds >= 0 for seconds in waits),
        overdue=sum(seconds > OVERDUE_SECONDS for seconds in waits),
        oldest_due=max(waits, default=0) if waits and waits[0] > 0 else 0,
        waiting=gatherings.waiting(events) if waiting is None else waiting,
        dispatchers=[dispatcher for dispatcher in dispatchers if dispatcher.is_living],
        last_seen=max((dispatcher.seen_at for dispatcher in dispatchers), default=None),
        spool=spool.standing(),
    )


def _queue(events: EventQuerySet | None) -> list[Any]:
    """Return the first MAX_PENDING events of the queue. Index: superoffice_event_queue."""
    waiting = (queue.events() if events is None else events).unfinished()
    shown = waiting.only("name", "entity", "primary_key", "received_at", "next_attempt_at")
    # By the clock that decides what is due, which may differ from this machine's.
    return list(shown.annotate(now=InSeconds(0)).order_by("next_attempt_at", "pk")[:MAX_PENDING])


def _pending(first: list[Event]) -> Pending:
    """Return the pending events among the first of the queue.

    Of up to MAX_PENDING events, it is the oldest. Of more, it is the oldest of those to be
    dispatched next: an older one may have failed before, and wait for a later attempt.
    """
    oldest = min(first, key=lambda event: (event.received_at, event.pk), default=None)
    return Pending(len(first), oldest)


def is_dispatcher_missing(now: Dispatching) -> bool:
    """Return whether a dispatcher is meant to be seen, and none is."""
    return not now.dispatchers and is_dispatcher_meant()


def dispatching_problems(
    max_age: float = OVERDUE_SECONDS, now: Dispatching | None = None
) -> list[str]:
    """Return what is wrong with the dispatching, in sentences; empty if nothing is.

    ``now`` is the result of ``dispatching()``, if the caller has it.
    """
    now = dispatching() if now is None else now
    problems = [
        f"{queued.due} {noun}{' is' if queued.due == 1 else 's are'} due, the oldest for"
        f" {queued.oldest_due:.0f} seconds. Start a dispatcher, or more of them, and look into its"
        " log."
        for noun, queued in (("event", now), ("gathering", now.waiting))
        if queued.due and queued.oldest_due > max_age
    ]
    if is_dispatcher_missing(now):
        seen = f"since {now.last_seen:%Y-%m-%d %H:%M:%S}" if now.last_seen else "ever"
        problems.append(
            f"No dispatcher has been seen {seen}. Run superoffice_dispatch --watch, or let the web"
            " processes dispatch: theirs start with the first request."
        )
    if now.spool.age is not None and now.spool.age.total_seconds() > max_age:
        problems.append(
            f"{now.spool.length} in the spool of this machine, the oldest for"
            f" {now.spool.age.total_seconds():.0f} seconds. Look into why the database does not"
            " take them: the log says so."
        )
    if now.spool.set_aside:
        problems.append(
            f"{now.spool.set_aside} set aside in the spool of this machine, since they can never be"
            " stored. Look at the files in its folder set_aside, and remove them."
        )
    problems += [
        f"{dispatcher} has {dispatcher.hung} of {dispatcher.lanes} lanes in a call that takes"
        " longer than CALL_SECONDS. Give the receiver a time-out of its own."
        for dispatcher in now.dispatchers
        if dispatcher.hung
    ]
    return problems


def is_dispatcher_meant() -> bool:
    """Return whether a dispatcher should run: not if tasks, or the requests, dispatch."""
    settings = conf.current()
    return settings.DISPATCH == "worker" or (
        settings.DISPATCH == "in_process" and settings.LANES > 0
    )


def standings(max_counted: int = MAX_COUNTED) -> list[Standing]:
    """Return the number of events of each status, in one query each.

    Index: superoffice_event_status.
    """
    return [
        Standing(status, of_status(status, Event.objects.all(), max_counted).count())
        for status in Event.Status.values
    ]


def endpoints() -> list[Endpoint]:
    """Return the endpoints that the settings name or that had deliveries, with the last delivery.

    Indexes: superoffice_event_endpoint, superoffice_event_name, and those of redeliveries, by
    primary key and by event.
    """
    deliveries = latest([*_newest_events(), *newest_redeliveries()])
    tests = latest(_tests())
    names = {*conf.current().endpoints, *deliveries}
    return [Endpoint(name, deliveries.get(name), tests.get(name)) for name in sorted(names)]


def of_status(
    status: str, events: EventQuerySet, max_counted: int = MAX_COUNTED
) -> QuerySet[Any, Any]:
    """Return events of one status, up to so many, to be counted by their index."""
    # A range in the order of the index: otherwise a database may read the table, or another index.
    rows = events.filter(status__range=(status, status)).order_by("status", "received_at")
    return rows.values("status")[:max_counted]


def _newest_events() -> Iterator[tuple[str, datetime]]:
    """Yield each endpoint with its newest event, one query each: GROUP BY reads the whole index."""
    # From the last endpoint to the first: backwards, the index has the newest of each first.
    newest_first = Event.objects.order_by("-endpoint", "-received_at")
    rows = newest_first.values_list("endpoint", "received_at")
    for _ in range(MAX_ENDPOINTS):
        newest = rows.first()
        if newest is None:
            return
        yield newest
        rows = rows.filter(endpoint__lt=newest[0])


def newest_redeliveries(events: EventQuerySet | None = None) -> Iterable[tuple[str, datetime]]:
    """Return the endpoint and the time of the newest redeliveries, of these events or of all."""
    newest = Redelivery.objects.order_by("-pk")
    if events is not None:
        newest = newest.filter(event__in=events.order_by().values("pk"))
    return newest.values_list("event__endpoint", "received_at")[:MAX_REDELIVERIES]


def _tests() -> Iterator[tuple[str, datetime]]:
    """Yield test events and their redeliveries: a test may come again with the same EventId.

    Their number is small: only the registration of a webhook sends one. The redeliveries are
    selected by the tests' keys, because a database may read all redeliveries for a join.
    """
    tests = Event.objects.filter(name=event_names.TEST)
    endpoints = {}
    for pk, endpoint, received_at in tests.values_list("pk", "endpoint", "received_at"):
        endpoints[pk] = endpoint
        yield endpoint, received_at
    again = Redelivery.objects.filter(event__in=endpoints).values_list("event_id", "received_at")
    yield from ((endpoints[event], received_at) for event, received_at in again)


def latest(times: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    """Return the latest time of each name."""
    last: dict[str, datetime] = {}
    for name, at in times:
        last[name] = max(at, last.get(name, at))
    return last
