"""The table of criteria. The command, the admin and the API are made from its rows."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self, cast
from uuid import UUID

from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ..models import Event, ReceiverRun, queue
from ..models.event_queryset import EventQuerySet
from ..models.paging.conditions import (
    Changed,
    Condition,
    Failing,
    Named,
    Narrowed,
    Ran,
    StillFailed,
    Unsuperseded,
    Where,
)
from .criterion import Criterion, row
from .value_kinds import Flag, Guid, Number, Pattern, RecordNumber, Text, Time, Word

MAX_NAMES = 20
"""The number of changed fields in one criterion."""
MAX_IDS = 10_000
"""The number of events listed one by one: all ids are in one query, and in the Replay's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Select the events that meet all of these criteria; without any criteria, all events."""

    ids: tuple[int, ...] = row(
        Number(1), "The key of an event.", label=_("event"), many=MAX_IDS, test="pk__in",
        option="id", parameters=("id__in",), index=("pk",),
        words=ngettext_lazy(
            "%(count)d event that was chosen", "%(count)d events that were chosen", "count"
        ),
    )  # fmt: skip
    event_ids: tuple[UUID, ...] = row(
        Guid(), "SuperOffice's EventId.", label=_("event id"), many=MAX_IDS, test="event_id__in",
        option="event-id", parameters=("event_id__in",), index=("event_id", "name", "endpoint"),
    )  # fmt: skip
    name: str = row(
        Pattern(100), "An event name, or a pattern: `ticket.*`.", label=_("event name"),
        test=lambda criteria: [Named(criteria.name)], key="event",
    )  # fmt: skip
    entity: str = row(
        Text(100), "`ticket`, `list.category`.", label=_("entity"),
        test=lambda criteria: [Where(Q(entity=criteria.entity.lower()))],
    )  # fmt: skip
    primary_key: int | None = row(
        RecordNumber(), "The number of the record.", label=_("primary key"), test="primary_key",
        index=("primary_key", "entity"),
    )  # fmt: skip
    tenant: str = row(Text(100), "A tenant: `Cust12345`.", label=_("tenant"), test="tenant")
    changed: tuple[str, ...] = row(
        Text(128), "A changed field; of several, any will do.", label=_("changed field"),
        many=MAX_NAMES, test=lambda criteria: [Changed(criteria.changed)],
    )  # fmt: skip
    changed_all: tuple[str, ...] = row(
        Text(128), "A changed field; of several, all must have changed.",
        label=_("changed field"), many=MAX_NAMES,
        test=lambda criteria: [Changed((name,)) for name in criteria.changed_all],
    )  # fmt: skip
    status: str = row(
        Word(tuple(Event.Status.choices)), "What came of the event.", label=_("status"),
        test="status", index=("status", "received_at"), parameters=("status__exact", "status"),
    )  # fmt: skip
    receiver: str = row(
        Text(255), "The dotted path of a receiver that ran.", label=_("receiver"), option="ran",
        test=lambda criteria: [Ran(criteria.receiver, criteria.outcome)],
    )  # fmt: skip
    outcome: str = row(
        Word(tuple(ReceiverRun.Outcome.choices)), "How that receiver, or any, ended.",
        label=_("outcome"), test=lambda criteria: [Ran(criteria.receiver, criteria.outcome)],
    )  # fmt: skip
    group: int | None = row(
        Number(1), "The key of a failure group, of events that are still failed in it.",
        label=_("failure group"), test=lambda criteria: [StillFailed(criteria.group or 0)],
    )  # fmt: skip
    failing: str = row(
        Text(255), "A receiver whose last run for the event was no success.",
        label=_("still failed for"), test=lambda criteria: [Failing(criteria.failing)],
    )  # fmt: skip
    endpoint: str = row(
        Text(50), "The endpoint that it was delivered to.", label=_("endpoint"), test="endpoint",
        parameters=("endpoint", "endpoint__exact"),
    )  # fmt: skip
    webhook_name: str = row(
        Text(255), "The webhook that delivered it first.", label=_("webhook"),
        test="webhook_name", key="webhook", parameters=("webhook", "webhook_name"),
    )  # fmt: skip
    is_own: bool | None = row(
        Flag(), "Whether we caused it ourselves.", label=_("who caused it"), test="is_own",
        key="own", parameters=("own",), words=(_("our own"), _("not our own")),
    )  # fmt: skip
    problems: bool | None = row(
        Flag(), "Whether something in it was odd.", label=_("problems"),
        test=lambda criteria: [Where(~Q(problems=[]) if criteria.problems else Q(problems=[]))],
        words=(_("with problems"), _("without problems")),
    )  # fmt: skip
    since: datetime | None = row(  # noqa: RUF009  (it is a field)
        Time(), "Received then or later.", label=_("received"), test="received_at__gte",
        parameters=("received_at__gte",), words=_("received at %(when)s or later"),
    )  # fmt: skip
    until: datetime | None = row(  # noqa: RUF009
        Time(), "Received before then.", label=_("received"), test="received_at__lt",
        parameters=("received_at__lt",), words=_("received before %(when)s"),
    )  # fmt: skip
    due_before: datetime | None = row(  # noqa: RUF009
        Time(), "Unfinished, and due before then.", label=_("due before"),
        test="next_attempt_at__lt", index=("next_attempt_at", "pk"),
        parameters=("next_attempt_at__lt",), words=_("due before %(when)s"),
    )  # fmt: skip
    unsuperseded: bool = row(
        Flag(), "Leaves out events after which any newer one of the same record has come in.",
        label=_("superseded events"),
        empty=False, test=lambda criteria: [Unsuperseded()], selects=False,
        words=(_("only events that are not superseded"), ""),
    )  # fmt: skip
    up_to: int | None = row(
        Number(0), "No event with a higher key.", label=_("up to"), test="pk__lte",
        option="up-to", parameters=("id__lte",), selects=False, words="",
    )  # fmt: skip
    limit: int | None = row(
        Number(1), "The maximum number of events, the oldest first.", label="limit", test="",
        selects=False,
        words=_("the oldest %(count)d of them"),
        absent={"admin": "The list has pages.", "api": "A page has its `page_size`."},
    )  # fmt: skip

    def values(self) -> dict[str, Any]:
        """Return the criteria that have a value; none of them means all events."""
        values = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: value for field, value in values if value != field.default}

    def as_json(self) -> dict[str, Any]:
        """Return the criteria that have a value, in JSON's types."""
        return {key: _plain(value) for key, value in self.values().items()}

    @classmethod
    def from_json(cls, stored: Any) -> Self:
        """Return the criteria that ``as_json`` has made this from.

        Raises:
            ValueError: it was not made by ``as_json``, or has an unknown criterion: without that,
                more events would be selected.
        """
        try:
            return cls(**{name: _read(TABLE[name], value) for name, value in stored.items()})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"These are no criteria: {error}") from error


def _row(name: str, criterion: Criterion) -> Criterion:
    key = criterion.key or name
    return replace(
        criterion,
        name=name,
        key=key,
        option=criterion.option or key.replace("_", "-"),
        parameters=criterion.parameters or (name,),
    )


TABLE = {field.name: _row(field.name, field.metadata["row"]) for field in fields(Criteria)}
"""The criteria by name."""


def offered(door: str) -> list[Criterion]:
    """Return the criteria that a door offers: ``admin``, ``api`` or ``command``."""
    return [criterion for criterion in TABLE.values() if door not in criterion.absent]


def selects(criteria: Criteria) -> bool:
    """Return whether the criteria select events, and do not only exclude some."""
    return any(TABLE[name].selects for name in criteria.values())


def selects_records(criteria: Criteria) -> bool:
    """Return whether, up to ``up_to``, all events of a record are selected or none."""
    values = criteria.values()
    name = values.pop("name", ".*")
    # The entity stands before the last dot. It is the same in all events of a record.
    is_of_entity = name.endswith(".*") and name.count("*") == 1
    return is_of_entity and values.keys() <= {"entity", "tenant", "primary_key", "up_to"}


def narrow(criteria: Criteria, events: QuerySet[Event]) -> Narrowed:
    """Return those of the events that meet the criteria, and their keys if an index has them.

    The caller applies the limit.
    """
    keys: set[int] | None = None
    for condition in _conditions(criteria):
        events, known = condition.narrow(events)
        if known is not None:
            keys = known if keys is None else keys & known
    return events, keys


def select(criteria: Criteria) -> EventQuerySet:
    """Return the events that meet all criteria, oldest first, from the database of the queue."""
    events: QuerySet[Event] = queue.events().order_by("pk")
    for condition in _conditions(criteria):
        events = condition.select(events, criteria.up_to)
    return cast("EventQuerySet", events)[: criteria.limit]


def frozen(criteria: Criteria) -> Criteria:
    """Return criteria that select the same events later, too: with ``up_to``, without ``limit``."""
    # Without a limit, the newest of all events will do: it takes no search.
    events = select(criteria) if criteria.limit else queue.events()
    last = events.aggregate(last=Max("pk"))["last"] or 0
    if criteria.up_to is not None:
        last = min(last, criteria.up_to)
    return replace(criteria, limit=None, up_to=last)


def _conditions(criteria: Criteria) -> list[Condition]:
    conditions = (c for name in criteria.values() for c in TABLE[name].conditions(criteria))
    return list(dict.fromkeys(conditions))


def _read(criterion: Criterion, value: Any) -> Any:
    if not criterion.many:
        return criterion.kind.read(value)
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(map(criterion.kind.read, value))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int) else str(value)
