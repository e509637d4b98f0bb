"""The record an event concerns, and the order of the events of one record.

SuperOffice promises no order of delivery, so events of a record are ordered by when they occurred
and, where that is the same or unreadable, by when they were received.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self, TypeVar, cast

from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from .identifier import IdentifierField

_Row = TypeVar("_Row", bound="OfRecord", covariant=True)  # noqa: PLC0105  (shorter)

_MOMENT = ("occurred_at", "received_at")


class RecordQuerySet(models.QuerySet[_Row]):
    """Events by the record they concern, and by their order within it."""

    def for_record(self, entity: str, primary_key: int, tenant: str | None = None) -> Self:
        """Events of one SuperOffice record, newest first: ``for_record("ticket", 527331)``.

        Without a tenant: of the records with this number in every tenant.
        """
        events = self.filter(entity=entity.lower(), primary_key=primary_key)
        return (events if tenant is None else events.filter(tenant=tenant)).newest_first()

    def same_record(self, event: "OfRecord") -> Self:
        """Events of the same SuperOffice record: tenant, entity and primary key."""
        return self.filter(
            entity=event.entity, primary_key=event.primary_key, tenant=event.tenant
        ).exclude(primary_key=None)

    def unsuperseded(self) -> Self:
        """Events after which no newer one of the same record has come in."""
        record = {name: OuterRef(name) for name in ("entity", "primary_key", "tenant")}
        events = cast("RecordQuerySet[_Row]", self.model._default_manager.using(self.db))
        after = events.filter(**record).placed("gt", OuterRef)
        return self.filter(~Exists(after))

    def newest_first(self) -> Self:
        """Events in the reverse order of their occurrence; for few events, as no index has it."""
        return self.order_by(Coalesce(*_MOMENT).desc(), "-received_at", "-pk")

    def placed(self, side: str, of: Callable[[str], Any]) -> Self:
        """Events that occurred before (``lt``) or after (``gt``) another of the same record.

        ``of`` gives a column of the other. Those that occurred at one time are in the order in
        which they were received; without a readable timestamp, that is when they occurred.
        """
        moment = Coalesce(*(of(column) for column in _MOMENT))
        same_moment = Q(moment=moment)
        same_receipt = same_moment & Q(received_at=of("received_at"))
        return self.alias(moment=Coalesce(*_MOMENT)).filter(
            Q(**{f"moment__{side}": moment})
            | (same_moment & Q(**{f"received_at__{side}": of("received_at")}))
            | (same_receipt & Q(**{f"pk__{side}": of("pk")}))
        )


class OfRecord(models.Model):
    """What an Event knows of its record, and of the record's other events.

    Each property asks the database each time.
    """

    entity = IdentifierField(_("entity"), max_length=100)
    primary_key = models.BigIntegerField(_("primary key"), null=True)
    tenant = IdentifierField(_("tenant"), max_length=100)
    occurred_at = models.DateTimeField(_("occurred at"), null=True)
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        abstract = True

    @property
    def happened_at(self) -> datetime:
        """When it occurred; where its timestamp is unreadable, when it was received."""
        return self.occurred_at or self.received_at

    def previous(self) -> Self | None:
        """The last event of the same record that occurred before this one."""
        return self._of_record().placed("lt", self._value).newest_first().first()

    @property
    def newest_for_record(self) -> Self:
        """The newest event of the same record; this one, if there is none that is newer."""
        return self._of_record().newest_first().first() or self

    @property
    def is_superseded(self) -> bool:
        """Whether a newer event of the same record has come in."""
        return self._of_record().placed("gt", self._value).exists()

    def _of_record(self) -> RecordQuerySet[Self]:
        events = cast("RecordQuerySet[Self]", type(self)._default_manager.all())
        return events.same_record(self)

    def _value(self, column: str) -> Value:
        field = models.BigIntegerField() if column == "pk" else models.DateTimeField()
        return Value(getattr(self, column), output_field=field)
