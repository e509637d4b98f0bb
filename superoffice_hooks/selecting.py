"""Selecting: criteria → events, oldest first. Criteria can be kept as JSON and read again."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db.models import Max

from . import moments
from .models import queue
from .models.event import EventQuerySet
from .values import storable_text

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Which events are meant; what is left out does not matter, and no criteria mean all events."""

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
    webhook_name: str = ""
    is_own: bool | None = None
    """Whether we caused them ourselves."""
    since: datetime | None = None
    until: datetime | None = None
    """Received at ``since`` or later, and before ``until``."""
    latest: bool = False
    """Leave out superseded events: those after which a newer one of the same record came in."""
    up_to: int | None = None
    """No Event row with a higher primary key than this."""
    limit: int | None = None
    """At most so many, the oldest first."""

    def given(self) -> dict[str, Any]:
        """The criteria that were given; empty if all events are meant."""
        values = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: value for field, value in values if value != field.default}

    def as_json(self) -> dict[str, Any]:
        """The given criteria in JSON's types."""
        return {key: _plain(value) for key, value in self.given().items()}

    @classmethod
    def from_json(cls, given: Any) -> Self:
        """The criteria that ``as_json`` made this of.

        Raises:
            ValueError: it was not made by ``as_json``. An unknown criterion is none to overlook:
                without it, more events would be meant.
        """
        try:
            return cls(**{key: _READERS[key](value) for key, value in given.items()})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"These are no criteria: {error}") from error


def select(criteria: Criteria) -> EventQuerySet:
    """Return the events that meet all criteria, oldest first, from the database of the queue."""
    lookups = {
        "pk__in": criteria.ids,
        "event_id__in": criteria.event_ids,
        "entity": criteria.entity.lower(),
        "primary_key": criteria.primary_key,
        "tenant": criteria.tenant,
        "status": criteria.status,
        "endpoint": criteria.endpoint,
        "webhook_name": criteria.webhook_name,
        "is_own": criteria.is_own,
        "received_at__gte": criteria.since,
        "received_at__lt": criteria.until,
        "pk__lte": criteria.up_to,
    }
    given = {lookup: value for lookup, value in lookups.items() if value not in ((), "", None)}
    events = queue.events().order_by("pk").filter(**given)
    if criteria.name:
        events = events.named(criteria.name)
    if criteria.changed:
        events = events.changed(*criteria.changed)
    if criteria.latest:
        events = events.unsuperseded()
    return events[: criteria.limit]


def frozen(criteria: Criteria) -> Criteria:
    """The same events, and none that come in later: ``up_to`` instead of ``limit``."""
    last = select(criteria).aggregate(last=Max("pk"))["last"]
    return replace(criteria, limit=None, up_to=last or 0)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int) else str(value)


def _text(value: Any) -> str:
    return storable_text(_of(str, value))


def _flag(value: Any) -> bool:
    return _of(bool, value)


def _number(value: Any) -> int:
    return _of(int, value)


def _key(value: Any) -> int:
    # Django knows what to do with a longer number in a comparison, but not in a list.
    if not 0 <= _number(value) < 2**63:
        raise ValueError(f"{value} is no primary key.")
    return _number(value)


def _each(read: Callable[[Any], _T]) -> Callable[[Any], tuple[_T, ...]]:
    return lambda values: tuple(map(read, _of(list, values)))


def _of(kind: type[_T], value: Any) -> _T:
    # True is an int in Python, though not in JSON.
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "ids": _each(_key),
    "event_ids": _each(UUID),
    "name": _text,
    "entity": _text,
    "primary_key": _number,
    "tenant": _text,
    "changed": _each(_text),
    "status": _text,
    "endpoint": _text,
    "webhook_name": _text,
    "is_own": _flag,
    "since": moments.read,
    "until": moments.read,
    "latest": _flag,
    "up_to": _key,
    "limit": _key,
}
