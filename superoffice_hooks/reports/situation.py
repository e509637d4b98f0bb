"""The situation: all facts that the verdict depends on, in a bounded number of queries."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from ..models import Event, Replay
from ..models.event_queryset import EventQuerySet
from . import standing
from .endpoints import Endpoints, endpoints
from .stages import OVERDUE_SECONDS
from .standing import Dispatching
from .verdict import Facts, Topic, Verdict, verdict
from .webhooks import Watched, watched
from .windows import Window

SAID_WITHIN = timedelta(days=30)
"""Older events about webhooks do not count."""
MAX_SAID = 500
"""How many of these events are looked at, the newest ones."""
MAX_REPLAYS = 100
"""How many unfinished replays are looked at."""

_STARTED, _STOPPED, _ENDED = "webhook.started", "webhook.stopped", "webhook.errors"


class Situation(NamedTuple):
    """How things stand, and the verdict on it."""

    verdict: Verdict
    facts: Facts
    dispatching: Dispatching
    endpoints: Endpoints
    said: dict[Topic, list[int]]
    """The keys of events that say that SuperOffice ended a webhook, or that a person stopped it.
    If a look saw the webhook later, its event is left out."""
    watched: list[Watched]
    """What was seen of the webhooks of WEBHOOKS."""


def situation(window: Window, events: EventQuerySet | None = None) -> Situation:
    """Return how things stand. ``events`` restricts what is counted; None means all events."""
    heard = endpoints(window, events)
    dispatching = standing.dispatching(events, heard.waiting)
    seen = watched() if events is None else []
    said = _said(events, seen)
    states = [replay.state for replay in _unfinished()] if events is None else []
    spool = dispatching.spool
    waits_long = spool.age is not None and spool.age.total_seconds() > OVERDUE_SECONDS
    facts = Facts(
        is_dispatcher_missing=standing.is_dispatcher_missing(dispatching),
        overdue=dispatching.overdue,
        gatherings=dispatching.waiting.overdue,
        hung=sum(dispatcher.hung for dispatcher in dispatching.dispatchers),
        set_aside=spool.set_aside,
        spooled=spool.length if waits_long else 0,
        webhooks_down=tuple(one.endpoint for one in seen if one.is_down),
        webhooks_unknown=tuple(one.endpoint for one in seen if one.is_unknown),
        webhooks_that_differ=tuple(one.endpoint for one in seen if one.differs),
        ended=len(said[Topic.ENDED]),
        stopped=len(said[Topic.STOPPED]),
        failed=heard.failed,
        groups=heard.groups,
        stalled=states.count(Replay.State.STALLED),
        unfinished=len(states) - states.count(Replay.State.STALLED),
        silent=heard.silent,
    )
    return Situation(verdict(facts), facts, dispatching, heard, said, seen)


def _said(events: EventQuerySet | None, seen: list[Watched]) -> dict[Topic, list[int]]:
    """Return the events that say that a webhook is ended or stopped, and has not started since.

    An event is left out if a later look saw the webhook.

    Index: superoffice_event_name.
    """
    rows = (Event.objects.all() if events is None else events).filter(
        name__in=[_STARTED, _STOPPED, _ENDED], received_at__gte=timezone.now() - SAID_WITHIN
    )
    newest = rows.order_by("-received_at", "-pk")
    looks = {
        (one.known.tenant, one.known.webhook): one.known.looked_at for one in seen if one.known
    }
    last: dict[tuple[str, int | None], tuple[str, int]] = {}
    columns = newest.values_list("tenant", "primary_key", "received_at", "name", "pk")
    for tenant, number, received_at, name, key in columns[:MAX_SAID]:
        if looks.get((tenant, number), received_at) <= received_at:
            last.setdefault((tenant, number), (name, key))
    said = {Topic.ENDED: _ENDED, Topic.STOPPED: _STOPPED}
    return {
        topic: [key for name, key in last.values() if name == its_name]
        for topic, its_name in said.items()
    }


def _unfinished() -> Iterable[Replay]:
    """Return the unfinished replays. Index: superoffice_replay_finished."""
    rows = Replay.objects.filter(finished_at=None).defer("criteria", "receivers", "reason")
    return rows.order_by("-pk")[:MAX_REPLAYS]
