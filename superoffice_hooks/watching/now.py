"""How things stand: what waits, and which endpoints still hear of SuperOffice."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db.models import Max

from .. import conf, spool, vocabulary
from ..models import Dispatcher, Event, Redelivery, queue
from ..models.clock import InSeconds

OVERDUE_SECONDS = 300.0
"""After how long something due has waited too long."""
MOST_PENDING = 1000
"""So many pending events are looked at, those to be dispatched next."""
MOST_STANDING = 10_000
"""So many events of one status are counted."""
MOST_REDELIVERIES = 1000
"""So many redeliveries are looked at, the newest ones."""
MOST_ENDPOINTS = 100


class Pending(NamedTuple):
    """The events that wait to be dispatched."""

    events: int
    """At most MOST_PENDING: there may be more."""
    oldest: Event | None
    """The one received first. Its payload, body and headers are not loaded."""


class Standing(NamedTuple):
    """The events of one status."""

    status: str
    events: int
    """At most MOST_STANDING: there may be more."""


class Endpoint(NamedTuple):
    """When an endpoint last had a delivery that was let in; None for never."""

    name: str
    last_delivery: datetime | None
    last_test: datetime | None


def pending() -> Pending:
    """What waits to be dispatched. Index: superoffice_event_queue.

    The oldest is exact among up to MOST_PENDING events. Of more, it is the oldest of those to be
    dispatched next; any that is older still was tried before, and is to be tried again later.
    """
    waiting = Event.objects.unfinished().order_by("next_attempt_at")
    shown = waiting.only("name", "entity", "primary_key", "received_at", "next_attempt_at")
    first = list(shown[:MOST_PENDING])
    oldest = min(first, key=lambda event: (event.received_at, event.pk), default=None)
    return Pending(len(first), oldest)


class Dispatching(NamedTuple):
    """Whether what is due is dispatched."""

    due: int
    """How many events are due; at most MOST_PENDING: there may be more."""
    oldest_due: float
    """For how many seconds the longest due of them has waited; 0 if none is."""
    dispatchers: list[Dispatcher]
    """Those that were seen lately."""
    last_seen: datetime | None
    """When any dispatcher was seen last; None if never."""
    spool: spool.Standing
    """What waits in the spool of this machine."""


def dispatching() -> Dispatching:
    """Return whether what is due is dispatched. Index: superoffice_event_queue."""
    due = queue.events().due()
    # By the clock that decides what is due, which may differ from this machine's.
    waits = due.annotate(now=InSeconds(0)).values_list("next_attempt_at", "now").first()
    dispatchers = Dispatcher.objects.using(queue.using())
    return Dispatching(
        # In the order of the index, or a database may read the table instead.
        due=due.values("pk")[:MOST_PENDING].count(),
        oldest_due=(waits[1] - waits[0]).total_seconds() if waits else 0,
        dispatchers=list(dispatchers.living()),
        last_seen=dispatchers.aggregate(last=Max("seen_at"))["last"],
        spool=spool.standing(),
    )


def dispatching_problems(
    max_age: float = OVERDUE_SECONDS, now: Dispatching | None = None
) -> list[str]:
    """Return what is wrong with the dispatching, in sentences; empty if nothing is.

    ``now`` has the facts, where they are known.
    """
    now = dispatching() if now is None else now
    problems = []
    if now.due and now.oldest_due > max_age:
        many = "events are" if now.due != 1 else "event is"
        problems.append(
            f"{now.due} {many} due, the oldest for {now.oldest_due:.0f} seconds."
            " Start a dispatcher, or more of them, and look into its log."
        )
    if not now.dispatchers and _is_dispatcher_meant():
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


def _is_dispatcher_meant() -> bool:
    """Whether a loop is to be seen: not if a queue of tasks, or each request, dispatches."""
    settings = conf.current()
    return settings.DISPATCH == "worker" or (
        settings.DISPATCH == "in_process" and settings.LANES > 0
    )


def standings() -> list[Standing]:
    """How many events have which status. Index: superoffice_event_status, one query for each."""
    return [Standing(status, _counted(status)) for status in Event.Status.values]


def endpoints() -> list[Endpoint]:
    """The endpoints the settings name and those that had deliveries, and when they had the last.

    Indexes: superoffice_event_endpoint, superoffice_event_name, and those of redeliveries, by
    primary key and by event.
    """
    deliveries = _latest([*_newest_events(), *_newest_redeliveries()])
    tests = _latest(_tests())
    names = {*conf.current().endpoints, *deliveries}
    return [Endpoint(name, deliveries.get(name), tests.get(name)) for name in sorted(names)]


def _counted(status: str) -> int:
    # Ordered as the index is, lest a database read the table instead, or another index.
    rows = Event.objects.filter(status=status).order_by("status", "received_at")
    return rows.values("status")[:MOST_STANDING].count()


def _newest_events() -> Iterator[tuple[str, datetime]]:
    """Each endpoint with its newest event, one query each: GROUP BY would read the whole index."""
    # From the last endpoint to the first: backwards, an index has the newest of each first.
    newest_first = Event.objects.order_by("-endpoint", "-received_at")
    rows = newest_first.values_list("endpoint", "received_at")
    for _ in range(MOST_ENDPOINTS):
        newest = rows.first()
        if newest is None:
            return
        yield newest
        rows = rows.filter(endpoint__lt=newest[0])


def _newest_redeliveries() -> Iterable[tuple[str, datetime]]:
    newest = Redelivery.objects.order_by("-pk").values_list("event__endpoint", "received_at")
    return newest[:MOST_REDELIVERIES]


def _tests() -> Iterator[tuple[str, datetime]]:
    """Test events and their redeliveries: a test may come again under the EventId it had.

    There are few, for only the registration of a webhook sends one. The redeliveries are found by
    the tests' keys, because a database may answer a join by reading all redeliveries.
    """
    tests = Event.objects.filter(name=vocabulary.TEST)
    endpoints = {}
    for pk, endpoint, received_at in tests.values_list("pk", "endpoint", "received_at"):
        endpoints[pk] = endpoint
        yield endpoint, received_at
    again = Redelivery.objects.filter(event__in=endpoints).values_list("event_id", "received_at")
    yield from ((endpoints[event], received_at) for event, received_at in again)


def _latest(moments: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    latest: dict[str, datetime] = {}
    for name, at in moments:
        latest[name] = max(at, latest.get(name, at))
    return latest
