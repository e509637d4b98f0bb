"""Replaying: select → plan → replay. The normal dispatch again, and a row that says who and why."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from .dispatching import dispatch
from .models import Event, Replay
from .models.event import EventQuerySet
from .signals import calls_for

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Which events to replay; what is left out does not matter, and no criteria mean all events."""

    ids: tuple[int, ...] = ()
    """Primary keys of Event rows."""
    event_ids: tuple[UUID, ...] = ()
    """SuperOffice's EventIds."""
    name: str = ""
    """An event name or pattern: ``ticket.*``."""
    entity: str = ""
    primary_key: int | None = None
    tenant: str = ""
    changed: tuple[str, ...] = ()
    """Names of changed fields; any of them will do."""
    status: str = ""
    endpoint: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """Received at ``since`` or later, and before ``until``."""
    limit: int | None = None
    """At most so many, the oldest first."""

    def given(self) -> dict[str, Any]:
        """The criteria that were given; empty if all events are meant."""
        return {key: value for key, value in asdict(self).items() if value not in ((), "", None)}

    def as_json(self) -> dict[str, Any]:
        """The given criteria in JSON's types, for people to read later."""
        return {key: _plain(value) for key, value in self.given().items()}


def select(criteria: Criteria) -> EventQuerySet:
    """The events that meet all criteria, oldest first."""
    events = Event.objects.order_by("pk").received_between(criteria.since, criteria.until)
    if criteria.ids:
        events = events.filter(pk__in=criteria.ids)
    if criteria.event_ids:
        events = events.filter(event_id__in=criteria.event_ids)
    if criteria.name:
        events = events.named(criteria.name)
    if criteria.changed:
        events = events.changed(*criteria.changed)
    if criteria.entity:
        events = events.filter(entity=criteria.entity.lower())
    for column in ("primary_key", "tenant", "status", "endpoint"):
        if (value := getattr(criteria, column)) not in ("", None):
            events = events.filter(**{column: value})
    return events[: criteria.limit]


def plan(criteria: Criteria, *, who: str, why: str, receivers: tuple[str, ...] = ()) -> Replay:
    """Write down who is about to replay what, and why; nothing is dispatched yet.

    ``receivers`` are dotted paths; none means all.
    """
    return Replay.objects.create(
        who=who[:255],
        why=why,
        criteria=criteria.as_json(),
        receivers=list(receivers),
        planned=select(criteria).count(),
    )


def replay(
    planned: Replay, criteria: Criteria, progress: Callable[[Event], None] = lambda event: None
) -> Replay:
    """Dispatch the planned events again, oldest first, and count what came out.

    ``progress`` is called with each event after it was tried. An event that another process is
    dispatching at this moment is left to it and counts as failed.
    """
    for event in _one_by_one(criteria):
        planned.count(failed=not _replay_one(event, planned))
        progress(event)
    planned.finish()
    return planned


def _replay_one(event: Event, planned: Replay) -> bool:
    """Whether the event came out well; it stays as it is if no chosen receiver is for it."""
    calls = calls_for(event, sender=Event)
    if planned.receivers and not any(planned.concerns(call.receiver.path) for call in calls):
        return True
    return event.claim() and dispatch(event, planned) != Event.Status.FAILED


def _one_by_one(criteria: Criteria) -> Iterator[Event]:
    """The selected events, in memory a batch at a time.

    The keys are taken first: a replay changes what is selected by (its status), and events that
    arrive meanwhile are not part of it.
    """
    keys = list(select(criteria).values_list("pk", flat=True))
    for start in range(0, len(keys), _BATCH):
        yield from Event.objects.filter(pk__in=keys[start : start + _BATCH]).order_by("pk")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int) else str(value)
