"""The gathering: one call of a receiver that is still to come, for all events that have joined it.

An event joins with a receiver run that has the outcome ``joined``. Gatherings have a queue of their
own, with the same columns and steps as that of the events. A gathering ends when it has no event
any more.
"""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import IdentifierField, QueueIndex
from .queued import Queued


class Gathering(Queued):
    """Events of one record that settle, or events of a batch, for one receiver."""

    receiver = IdentifierField(_("receiver"), max_length=255)
    tenant = IdentifierField(_("tenant"), max_length=100)
    entity = IdentifierField(_("entity"), max_length=100)
    primary_key = models.BigIntegerField(_("primary key"))
    """The number of the record. A batch has 0, and no tenant or entity. An event without a record
    has a gathering of its own, with the negative primary key of the event."""
    events = models.IntegerField(_("events"), default=0)
    """How many events have joined and wait for the call; too high if some were deleted."""
    first_event_at = models.DateTimeField(_("first event at"))
    """When the first of them joined."""
    last_event_at = models.DateTimeField(_("last event at"))
    """When the last of them joined."""
    quiet_at = models.DateTimeField(_("quiet at"))
    """When the receiver is called, if no further event joins."""
    call_by = models.DateTimeField(_("call by"))
    """When the receiver is called at the latest."""
    frozen_to = models.BigIntegerField(_("frozen to"), default=0, editable=False)
    """The primary key of the last run for which the call has begun."""

    class Meta:
        verbose_name = _("gathering")
        verbose_name_plural = _("gatherings")
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["receiver", "tenant", "entity", "primary_key"],
                name="superoffice_gathering_once",
            ),
        ]
        indexes: ClassVar = [
            QueueIndex(fields=["next_attempt_at", "id"], name="superoffice_gathering_queue"),
        ]

    def __str__(self) -> str:
        what = f"{self.entity} {self.primary_key}" if self.is_of_record else "events"
        return f"{what} for {self.receiver}"

    @property
    def is_batch(self) -> bool:
        """Return whether it is a batch."""
        return not (self.entity or self.primary_key)

    @property
    def is_of_record(self) -> bool:
        """Return whether its events are those of one record."""
        return bool(self.entity)
