"""The event: something that happened in SuperOffice, one row however often it is delivered."""

from datetime import datetime
from functools import cached_property
from typing import ClassVar

from django.db import models, router
from django.db.models import Value
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import conf
from ..wire import dictionary, event_names
from ..wire.dictionary import FieldDescription
from ..wire.field_values import Change, FieldValues, compare
from ..wire.notification import changed_names
from ..wire.values import one_line
from .changed_fields import ChangeSet
from .event_queryset import EventQuerySet
from .fields import GuidField, IdentifierField, QueueIndex
from .queued import Queued


class Event(Queued):
    """Something that happened in SuperOffice, identified by its EventId.

    Its place in the queue is ``next_attempt_at``; see ``models.queue``.
    """

    class Status(models.TextChoices):
        """What has come of an event so far."""

        PENDING = "pending", _("pending")
        WAITING = "waiting", _("waiting")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("skipped")
        HANDLED = "handled", _("handled")

    DONE = (Status.SUCCEEDED, Status.SKIPPED, Status.HANDLED)
    """The statuses of finished events that no person has to look at."""

    entity = IdentifierField(_("entity"), max_length=100)
    primary_key = models.BigIntegerField(_("primary key"), null=True)
    tenant = IdentifierField(_("tenant"), max_length=100)
    occurred_at = models.DateTimeField(_("occurred at"), null=True)
    received_at = models.DateTimeField(_("received at"))
    payload = models.JSONField(_("payload"))
    change_set = models.ForeignKey(
        ChangeSet,
        verbose_name=_("change set"),
        null=True,
        on_delete=models.PROTECT,
        related_name="events",
    )
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

    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PENDING)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    handled_by = models.CharField(_("handled by"), max_length=255, blank=True)
    handled_reason = models.TextField(_("handled because"), blank=True)

    pruned_at = models.DateTimeField(_("pruned at"), null=True)
    """When its body, headers and tracebacks were pruned; null if they were not."""

    first_of_call: "Event | None" = None
    """In a call for several events, of which this one is the newest: the first one. Not stored."""
    changes_of_call: tuple[str, ...] = ()
    """The changed fields that the receiver was called with, if ``first_of_call`` is set."""
    values_of_call: FieldValues | None = None
    """The last value of each field in the events of the call, if ``first_of_call`` is set."""

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
            # Number first: people look a record up by it, often without its entity.
            models.Index(fields=["primary_key", "entity"], name="superoffice_event_record"),
            QueueIndex(fields=["next_attempt_at", "id"], name="superoffice_event_queue"),
            # The events that still have a body, the oldest first.
            models.Index(fields=["pruned_at", "received_at"], name="superoffice_event_prune"),
            models.Index(fields=["received_at"], name="superoffice_event_received"),
            # For lists of one name, status, tenant or endpoint, the newest first. The index by name
            # also has all columns that the counts of changed fields and of kinds of events need.
            models.Index(
                fields=["name", "received_at", "change_set", "is_own", "id"],
                name="superoffice_event_name",
            ),
            models.Index(fields=["status", "received_at"], name="superoffice_event_status"),
            models.Index(fields=["tenant", "received_at"], name="superoffice_event_tenant"),
            models.Index(fields=["endpoint", "received_at"], name="superoffice_event_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{one_line(self.name) or gettext('(no name)')} {self.event_id}"

    @property
    def is_test(self) -> bool:
        """Return whether SuperOffice sent it to test the webhook while saving it."""
        return bool(self.name == event_names.TEST)

    @property
    def happened_at(self) -> datetime:
        """Return when it occurred; if its timestamp cannot be read, when it was received."""
        return self.occurred_at or self.received_at

    def previous(self) -> "Event | None":
        """Return the last event of the same record that occurred before this one."""
        return self._of_record().placed("lt", self._value).newest_first().first()

    @property
    def newest_for_record(self) -> "Event":
        """Return the newest event of the same record; this one, if none is newer."""
        return self._of_record().newest_first().first() or self

    @property
    def is_superseded(self) -> bool:
        """Return whether any newer event of the same record has come in."""
        return self._of_record().placed("gt", self._value).exists()

    @cached_property
    def changes(self) -> tuple[str, ...]:
        """Return the names of the changed fields, case and order as sent. Empty means unknown."""
        return changed_names(self.payload)

    @property
    def significant_changes(self) -> tuple[str, ...]:
        """Return the changed fields without noise: the record's own key, and NOISE_FIELDS."""
        noise = conf.noise_of(self.entity)
        return tuple(name for name in self.changes if name not in noise)

    @property
    def is_noise(self) -> bool:
        """Return whether only noise changed.

        It is False if the changed fields are unknown. It is also False if the action says more than
        "changed", as in sale.sold.
        """
        return self.action == "changed" and bool(self.changes) and not self.significant_changes

    @property
    def changed_fields(self) -> tuple[FieldDescription, ...]:
        """Return the changed fields in the order sent, each with its label and description."""
        return tuple(dictionary.describe(self.entity, name) for name in self.changes)

    @cached_property
    def field_values(self) -> FieldValues:
        """Return the values that SuperOffice sent, decoded: ``event.field_values["Priority"]``.

        The case of names does not count; ``.raw`` has the values as sent. SuperOffice before 11.1
        sends no values.
        """
        return FieldValues.of(self.payload)

    def diff(self) -> dict[str, Change]:
        """Return each changed field's value before and after this event, where SuperOffice sent it.

        The value before is from the record's previous event; in a call for several events of a
        record, from the event before the first of them. If the changed fields are unknown, it
        returns the fields whose values differ.
        """
        first = self.first_of_call
        before = (first or self).previous()
        changes = self.changes_of_call if first else self.changes
        after = self.field_values if self.values_of_call is None else self.values_of_call
        return compare(before.field_values if before else {}, after, changes)

    @property
    def is_in_queue(self) -> bool:
        """Return whether it is due now or later, by the columns of this instance."""
        return self.next_attempt_at is not None

    @property
    def is_finished(self) -> bool:
        """Return whether no receiver is to be called any more, by the columns of this instance."""
        return not self.is_in_queue and self.status != self.Status.WAITING

    def skip_as_late(self) -> None:
        """Let an event that came too late, and is not stored yet, be stored as skipped."""
        self.status = self.Status.SKIPPED
        self.attempts, self.next_attempt_at, self.claim, self.begun_at = 0, None, None, None
        self.finished_at = self.received_at
        self.problems.append(
            "It arrived more than MAX_AGE_SECONDS after its Timestamp, so it was not dispatched."
        )

    def handle(self, *, who: str, reason: str) -> bool:
        """Note that a person has dealt with a failed event; False if it has not failed."""
        return self._marked(self._alone().handle(who=who, reason=reason))

    def undo_handled(self, *, who: str) -> bool:
        """Let a handled event be failed again; False if it is not handled."""
        return self._marked(self._alone().undo_handled(who=who))

    def _alone(self) -> EventQuerySet:
        return type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk)

    def _marked(self, count: int) -> bool:
        """Read the columns again if the event was marked; return whether it was."""
        if count:
            columns = ["status", "handled_by", "handled_reason"]
            self.refresh_from_db(using=router.db_for_write(type(self)), fields=columns)
        return bool(count)

    def _of_record(self) -> EventQuerySet:
        return type(self).objects.all().same_record(self)

    def _value(self, column: str) -> Value:
        field = models.BigIntegerField() if column == "pk" else models.DateTimeField()
        return Value(getattr(self, column), output_field=field)
