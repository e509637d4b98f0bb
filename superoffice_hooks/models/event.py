"""The event: something that happened in SuperOffice, one row however often it is delivered."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import IntegrityError, models, router
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf, moments, vocabulary
from ..values import one_line
from .changes import ChangeSet
from .fields import Change, FieldsQuerySet, WithFields, compare
from .guid import GuidField
from .identifier import IdentifierField
from .inserting import insert, savepoint
from .lifecycle import Claimable, ClaimableQuerySet
from .record import OfRecord, RecordQuerySet

if TYPE_CHECKING:
    from ..notification import Delivery, Notification


# django-stubs gives each class an as_manager of its own type.
class EventQuerySet(  # type: ignore[override]
    FieldsQuerySet["Event"], RecordQuerySet["Event"], ClaimableQuerySet["Event"]
):
    """Events, by what they say."""

    def named(self, pattern: str) -> Self:
        """Events whose name matches: ``ticket.changed``, ``list.*.softdeleted``."""
        if len(pattern) > vocabulary.MAX_PATTERN:
            return self.none()
        first, *rest = vocabulary.parts(pattern)
        if not rest:
            return self.filter(name=first)
        # The start narrows the index; the pattern decides.
        return self.filter(name__startswith=first, name__matches=pattern)

    def received_between(self, since: datetime | None, until: datetime | None) -> Self:
        """Events received at ``since`` or later and before ``until``; None leaves an end open."""
        events = self
        if since is not None:
            events = events.filter(received_at__gte=since)
        if until is not None:
            events = events.filter(received_at__lt=until)
        return events

    def field_history(
        self, entity: str, primary_key: int, name: str, tenant: str | None = None
    ) -> Self:
        """Events of one record that changed this field, newest first.

        ``event.field_values`` has the value that the field got, where SuperOffice sent it.
        """
        return self.for_record(entity, primary_key, tenant).changed(name, entity=entity)

    def in_turn(self) -> Self:
        """Events with no unfinished event of the same record before them."""
        record = {name: OuterRef(name) for name in ("entity", "primary_key", "tenant")}
        before = Event.objects.using(self.db).filter(status__in=Event.UNFINISHED, **record)
        return self.filter(~Exists(before.placed("lt", OuterRef)))

    def claim_due(self, most: int) -> "list[Event]":
        """Claim up to so many due events; with ORDERED, none before its turn."""
        events = self.in_turn() if conf.current().ORDERED else self
        return super(EventQuerySet, events).claim_due(most)

    def record(self, delivery: "Delivery", notification: "Notification") -> "tuple[Event, bool]":
        """Store the event of a delivery; return it, and whether this delivery was its first.

        An event that came too late is stored as skipped. One INSERT where the change set is known:
        the unique key is the duplicate test.
        """
        using = router.db_for_write(self.model)
        event = self.model.arrived(delivery, notification)
        if conf.is_late(event.occurred_at, event.received_at):
            event.set_aside()
        try:
            with savepoint(using):
                insert(event, using)
        except IntegrityError:
            if original := self.using(using).filter(**event.identity()).first():
                return original, False
            if ChangeSet.objects.forget_if_gone(event.change_set_id):
                return self.record(delivery, notification)
            raise
        return event, True


class Event(OfRecord, WithFields, Claimable):
    """Something that happened in SuperOffice, known by its EventId."""

    endpoint = IdentifierField(_("endpoint"), max_length=50)
    event_id = GuidField(_("event id"))
    name = IdentifierField(_("event name"), max_length=100)
    action = IdentifierField(_("action"), max_length=100)
    associate_id = models.BigIntegerField(_("associate id"), null=True)
    is_own = models.BooleanField(_("our own"), default=False)
    """Whether OWN_ASSOCIATES said, when it was stored, that we caused it ourselves."""
    webhook_name = IdentifierField(_("webhook"), max_length=255)
    body = models.BinaryField(_("body"))
    headers = models.JSONField(_("headers"), default=dict)
    remote_addr = models.GenericIPAddressField(_("remote address"), null=True)
    problems = models.JSONField(_("problems"), default=list)

    pruned_at = models.DateTimeField(_("pruned at"), null=True)
    """When its body, headers and tracebacks were pruned; until then they are all there."""

    objects = models.Manager.from_queryset(EventQuerySet)()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        # The order of arrival, newest first, without an index of its own.
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("replay_event", _("Can replay events"))]
        constraints: ClassVar = [
            # EventId first: people look events up by it.
            models.UniqueConstraint(
                fields=["event_id", "name", "endpoint"], name="superoffice_event_once"
            ),
        ]
        indexes: ClassVar = [
            # Number first: people look a record up by it, and seldom say of which entity.
            models.Index(fields=["primary_key", "entity"], name="superoffice_event_record"),
            # First what is due; then, as what is finished is due at no time, what is to be pruned.
            models.Index(
                fields=["status", "next_attempt_at", "pruned_at", "received_at"],
                name="superoffice_event_due",
            ),
            models.Index(fields=["received_at"], name="superoffice_event_received"),
            # The newest of one name, status, tenant or endpoint, in the order of the admin's list.
            # That of names also covers what is counted of changed fields.
            models.Index(
                fields=["name", "received_at", "change_set"], name="superoffice_event_name"
            ),
            models.Index(fields=["status", "received_at"], name="superoffice_event_status"),
            models.Index(fields=["tenant", "received_at"], name="superoffice_event_tenant"),
            models.Index(fields=["endpoint", "received_at"], name="superoffice_event_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{one_line(self.name) or '(no name)'} {self.event_id}"

    @classmethod
    def arrived(cls, delivery: "Delivery", notification: "Notification") -> Self:
        """A new event, not saved yet."""
        change_set, omitted = ChangeSet.objects.key_of(notification.entity, notification.changes)
        problems = list(notification.problems)
        if omitted:
            problems.append(
                f"Changes has names that no event had before, too many: {omitted} of"
                " them are not searchable."
            )
        return cls(
            endpoint=delivery.endpoint,
            event_id=notification.event_id,
            name=notification.name,
            entity=notification.entity,
            action=notification.action,
            primary_key=notification.primary_key,
            tenant=notification.tenant,
            associate_id=notification.associate_id,
            is_own=conf.is_own(notification.tenant, notification.associate_id),
            webhook_name=notification.webhook_name,
            occurred_at=notification.occurred_at and _as_stored(notification.occurred_at),
            received_at=delivery.received_at,
            payload=notification.payload,
            body=delivery.body,
            headers=delivery.kept_headers(),
            remote_addr=delivery.remote_addr,
            problems=problems,
            change_set_id=change_set,
            **cls.initially(delivery.received_at),
        )

    def set_aside(self) -> None:
        """Take an event that is not saved yet, and that came too late, out of the queue."""
        self.status = self.Status.SKIPPED
        self.attempts, self.next_attempt_at, self.claimed_until = 0, None, None
        self.finished_at = self.received_at
        self.problems.append(
            "It arrived more than MAX_AGE_SECONDS after its Timestamp, so it was not dispatched."
        )

    def identity(self) -> dict[str, Any]:
        """What makes two deliveries tell of the same event."""
        return {"event_id": self.event_id, "name": self.name, "endpoint": self.endpoint}

    @property
    def is_test(self) -> bool:
        """Whether this is the event a registration sends to see if anybody answers."""
        return bool(self.name == vocabulary.TEST)

    def diff(self) -> dict[str, Change]:
        """What each changed field was before, and what it became, as far as SuperOffice told.

        From the FieldValues of this event and of the record's last earlier one; nothing more is
        stored. Of an event whose changed fields are unknown: the fields whose values differ.
        """
        return compare(self.previous(), self)

    def is_held_back(self) -> bool:
        """Whether, with ORDERED, an earlier event of the same record must be finished first."""
        return conf.current().ORDERED and not Event.objects.filter(pk=self.pk).in_turn().exists()


def _as_stored(moment: datetime) -> datetime:
    # SuperOffice's local time is the project's, not that of whoever is looked after just now.
    return moments.as_project(moment, timezone.get_default_timezone())
