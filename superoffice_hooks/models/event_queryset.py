"""Queries for events, and the INSERT that stores one.

SuperOffice promises no order of delivery. So events of a record are ordered by when they occurred
and, where that is the same or unreadable, by when they were received.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import IntegrityError, models, router
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from .. import conf
from ..wire import event_names
from ..wire.notification import Delivery, Notification
from . import handling, times
from .changed_fields import ChangedField, ChangeSet
from .clock import NOW
from .inserting import insert

if TYPE_CHECKING:
    from .event import Event

_MAX_KEYS = 1000
"""The maximum number of keys in a query."""

_HAPPENED_AT = ("occurred_at", "received_at")

_COPIED = ("event_id", "name", "entity", "action", "primary_key", "tenant", "associate_id")


class EventQuerySet(models.QuerySet["Event"]):
    """Events by their record, their changed fields, and their place in the queue."""

    def unfinished(self) -> Self:
        """Return the events that are in the queue: due, claimed, or to be retried later."""
        return self.exclude(next_attempt_at=None)

    def due(self) -> Self:
        """Return the events that may be claimed now, the longest due first."""
        return self.filter(next_attempt_at__lte=NOW).order_by("next_attempt_at", "pk")

    def named(self, pattern: str) -> Self:
        """Return events whose name matches: ``ticket.changed``, ``list.*.softdeleted``."""
        if len(pattern) > event_names.MAX_PATTERN:
            return self.none()
        first, *rest = event_names.parts(pattern)
        if not rest:
            return self.filter(name=first)
        # An index has the names with this start, and the pattern selects among them.
        events = self.filter(name__startswith=first)
        return events if rest == [""] else events.filter(name__matches=pattern)

    def received_between(self, since: datetime | None, until: datetime | None) -> Self:
        """Return events received at ``since`` or later and before ``until``; None is open."""
        bounds = {"received_at__gte": since, "received_at__lt": until}
        return self.filter(**{name: at for name, at in bounds.items() if at is not None})

    def changed(self, *names: str, entity: str | None = None) -> Self:
        """Return events whose list of changed fields has any of these names, in any case.

        Events with an empty list (unknown) are left out. Runs one small query at once, for the
        change sets that have the names.
        """
        fields = ChangedField.objects.using(self.db).filter(name__in=[n.lower() for n in names])
        if entity is not None:
            fields = fields.filter(entity=entity.lower())
        change_sets = ChangeSet.objects.using(self.db).filter(fields__in=fields).distinct()
        # With the keys, a database knows how many events they have. So it knows whether to look
        # them up or to scan from the newest. With a subquery it guesses, and may scan to the end.
        keys = list(change_sets.values_list("pk", flat=True)[: _MAX_KEYS + 1])
        return self.filter(change_set__in=keys if len(keys) <= _MAX_KEYS else change_sets)

    def field_history(
        self, entity: str, primary_key: int, name: str, tenant: str | None = None
    ) -> Self:
        """Return the events of one record that changed this field, newest first.

        ``event.field_values`` has the field's new value, where SuperOffice sent it.
        """
        return self.for_record(entity, primary_key, tenant).changed(name, entity=entity)

    def for_record(self, entity: str, primary_key: int, tenant: str | None = None) -> Self:
        """Return the events of one record, newest first: ``for_record("ticket", 527331)``.

        Without a tenant, they are of all records with this number, one in each tenant.
        """
        events = self.filter(entity=entity.lower(), primary_key=primary_key)
        return (events if tenant is None else events.filter(tenant=tenant)).newest_first()

    def same_record(self, event: "Event") -> Self:
        """Return the events of the same tenant, entity and primary key."""
        return self.filter(
            entity=event.entity, primary_key=event.primary_key, tenant=event.tenant
        ).exclude(primary_key=None)

    def unsuperseded(self) -> Self:
        """Return the events without a newer one of the same record."""
        record = {name: OuterRef(name) for name in ("entity", "primary_key", "tenant")}
        after = self.model.objects.using(self.db).filter(**record).placed("gt", OuterRef)
        return self.filter(~Exists(after))

    def newest_first(self) -> Self:
        """Order by time of occurrence, newest first. No index has this order."""
        return self.order_by(Coalesce(*_HAPPENED_AT).desc(), "-received_at", "-pk")

    def placed(self, side: str, of: Callable[[str], Any]) -> Self:
        """Return events that occurred before (``lt``) or after (``gt``) another of the same record.

        ``of`` returns a column of the other event.
        """
        time = Coalesce(*map(of, _HAPPENED_AT))
        same_time = Q(happened=time)
        same_receipt = same_time & Q(received_at=of("received_at"))
        return self.alias(happened=Coalesce(*_HAPPENED_AT)).filter(
            Q(**{f"happened__{side}": time})
            | (same_time & Q(**{f"received_at__{side}": of("received_at")}))
            | (same_receipt & Q(**{f"pk__{side}": of("pk")}))
        )

    def handle(self, *, who: str, reason: str) -> int:
        """Mark the failed ones as handled by a person; return how many."""
        return handling.handle(self, who=who, reason=reason)

    def undo_handled(self, *, who: str) -> int:
        """Let the handled ones be failed again; return how many."""
        return handling.undo(self, who=who)

    def record(
        self, delivery: Delivery, notification: Notification, place: Mapping[str, Any]
    ) -> "tuple[Event, bool]":
        """Store the event of a delivery; return it, and whether this delivery was its first.

        ``place`` has the columns of the queue. An event that came too late is stored as skipped. It
        takes one INSERT if the change set is known. The unique key detects duplicates.
        """
        using = router.db_for_write(self.model)
        event = self.model(**_columns(delivery, notification), **place)
        event.changes = notification.changes
        if conf.is_late(event.occurred_at, event.received_at):
            event.skip_as_late()
        try:
            insert(event, using, guarded=True)
        except IntegrityError:
            identity = {"event_id": event.event_id, "name": event.name, "endpoint": event.endpoint}
            if original := self.using(using).filter(**identity).first():
                return original, False
            if ChangeSet.objects.forget_if_gone(event.change_set_id):
                return self.record(delivery, notification, place)
            raise
        return event, True


def _columns(delivery: Delivery, notification: Notification) -> dict[str, Any]:
    """Return the columns of a new event, except those of the queue."""
    change_set, omitted = ChangeSet.objects.key_of(notification.entity, notification.changes)
    problems = list(notification.problems)
    if omitted:
        problems.append(
            f"Changes has names that no event had before, too many: {omitted} of"
            " them are not searchable."
        )
    # SuperOffice's local time is in the project's time zone, not in that of the current request.
    zone = timezone.get_default_timezone()
    occurred_at = notification.occurred_at
    return {
        **{name: getattr(notification, name) for name in _COPIED},
        "webhook_name": notification.webhook_name,
        "payload": notification.payload,
        "occurred_at": occurred_at and times.as_project(occurred_at, zone),
        "is_own": conf.is_own(notification.tenant, notification.associate_id),
        "endpoint": delivery.endpoint,
        "received_at": delivery.received_at,
        "body": delivery.body,
        "headers": delivery.kept_headers(),
        "remote_addr": delivery.remote_addr,
        "problems": problems,
        "change_set_id": change_set,
    }
