"""Deliveries that made no new event: repeated ones and refused ones."""

import itertools
from collections import Counter
from datetime import datetime
from typing import ClassVar

from django.db import DatabaseError, models, router
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..wire.notification import Delivery, Notification, notes_of
from ..wire.values import one_line
from . import errors
from .event import Event
from .fields import IdentifierField
from .transactions import own_transaction

REASONS = {
    "unknown endpoint": _("unknown endpoint"),
    "body too large": _("body too large"),
    "body not readable": _("body not readable"),
    "body already read by a middleware": _("body already read by a middleware"),
    "signature missing": _("signature missing"),
    "signature wrong": _("signature wrong"),
}
"""The names of the reasons of refusals on pages. Other reasons are errors, in English."""


def in_words(reason: str) -> str:
    """Return a reason in the language of the reader, if it is translated."""
    return str(REASONS.get(reason, reason))


class RedeliveryManager(models.Manager["Redelivery"]):
    """Stores repeated deliveries, within bounds."""

    MAX_OF_ONE_EVENT = 20
    """The limit, because a signed body can be sent any number of times."""

    def record(self, event: Event, delivery: Delivery, notification: Notification) -> "Redelivery":
        """Note that an event was delivered again. Its body is stored only if it differs.

        Of the redeliveries of an event, the first and the newest are kept, and the others counted.
        """
        differs = delivery.body != bytes(event.body)
        redelivery = self.create(
            event=event,
            received_at=delivery.received_at,
            retry=delivery.retry,
            webhook_name=notification.webhook_name,
            body=delivery.body if differs else None,
        )
        try:
            self._thin_out(event)
        except DatabaseError as error:
            # Another process has locked the rows. It thins out too, or the next redelivery does.
            if errors.kind_of(error) != errors.Kind.BUSY:
                raise
        return redelivery

    def _thin_out(self, event: Event) -> None:
        using = router.db_for_write(self.model)
        rows = self.using(using).filter(event=event)
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        if len(keys) <= self.MAX_OF_ONE_EVENT:
            return
        with own_transaction(using):
            # Two processes may try to delete the same rows. Each counts those that it deleted.
            between = rows.filter(pk__in=keys[1 : 1 - self.MAX_OF_ONE_EVENT])
            number, _by_model = between.delete()
            rows.filter(pk=keys[0]).update(omitted=F("omitted") + number)


class Redelivery(models.Model):
    """A repeated delivery of an event: a retry, or the copy of another webhook."""

    event = models.ForeignKey(
        Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="redeliveries"
    )
    received_at = models.DateTimeField(_("received at"))
    retry = models.PositiveSmallIntegerField(_("retry"), null=True)
    webhook_name = IdentifierField(_("webhook"), max_length=255)
    body = models.BinaryField(_("body, where it differs"), null=True)
    """Null if it does not differ; empty after it was pruned."""
    omitted = models.PositiveIntegerField(default=0, editable=False)
    """How many redeliveries between this one and the next are not kept; 0 for all but the first."""

    objects = RedeliveryManager()

    class Meta:
        verbose_name = _("redelivery")
        verbose_name_plural = _("redeliveries")
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        shown = {"event": self.event, "when": _shown(self.received_at)}
        return gettext("%(event)s again at %(when)s") % shown


class RejectionManager(models.Manager["Rejection"]):
    """Stores refused deliveries, within bounds."""

    MAX_UNVERIFIED = 1000
    MAX_OF_ONE_SOURCE = 50
    """How many are kept from one address for one reason. So a flood from one address does not
    displace the wrong signatures of SuperOffice itself, which a person has to see."""
    TRIM_EVERY = 50
    """After how many refusals a process deletes those beyond the limits."""
    HEAD_BYTES = 1024

    _refused = itertools.count()

    def refuse(self, delivery: Delivery, reason: str) -> "Rejection | None":
        """Store a refused delivery; return None if the database cannot take it.

        Anybody on the internet can cause these. So only the beginning of the body is stored, only
        the newest rejections of each source are kept, and usually it takes one INSERT.
        """
        try:
            rejection = self._create(
                delivery, reason, verified=False, body=delivery.body[: self.HEAD_BYTES]
            )
            if next(self._refused) % self.TRIM_EVERY == 0:
                self.trim()
        except DatabaseError:
            return None
        return rejection

    def trim(self) -> None:
        """Delete unverified rows, except the newest of each source and the newest of all."""
        using = router.db_for_write(self.model)
        rows = self.using(using).filter(verified=False).order_by("-pk")
        kept, of_source, excess = 0, Counter[tuple[str, str | None]](), []
        for key, reason, address in rows.values_list("pk", "reason", "remote_addr").iterator():
            of_source[reason, address] += 1
            if kept == self.MAX_UNVERIFIED or of_source[reason, address] > self.MAX_OF_ONE_SOURCE:
                excess.append(key)
            else:
                kept += 1
        for start in range(0, len(excess), 500):
            self.using(using).filter(pk__in=excess[start : start + 500]).delete()

    def keep(self, delivery: Delivery, reason: str) -> "Rejection":
        """Store a signed delivery that cannot be read as an event, with its whole body."""
        return self._create(delivery, reason, verified=True, body=delivery.body)

    def _create(
        self, delivery: Delivery, reason: str, *, verified: bool, body: bytes
    ) -> "Rejection":
        return self.create(
            received_at=delivery.received_at,
            endpoint=delivery.endpoint[:50],
            reason=reason[:200],
            verified=verified,
            headers=delivery.kept_headers(),
            body=body,
            remote_addr=delivery.remote_addr,
        )


class Rejection(models.Model):
    """A delivery that made no event, and the reason."""

    received_at = models.DateTimeField(_("received at"))
    endpoint = IdentifierField(_("endpoint"), max_length=50)
    reason = models.CharField(_("reason"), max_length=200)
    verified = models.BooleanField(_("verified"))
    headers = models.JSONField(_("headers"), default=dict)
    body = models.BinaryField(_("body"))
    remote_addr = models.GenericIPAddressField(_("remote address"), null=True)

    objects = RejectionManager()

    class Meta:
        verbose_name = _("rejection")
        verbose_name_plural = _("rejections")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["verified", "id"], name="superoffice_rejection_trim"),
            models.Index(fields=["received_at"], name="superoffice_rejection_received"),
        ]

    def __str__(self) -> str:
        shown = {"reason": one_line(in_words(self.reason))}
        return gettext("%(reason)s at %(when)s") % {**shown, "when": _shown(self.received_at)}

    def take(self) -> Delivery:
        """Delete the row and return its delivery; to be called inside a transaction.

        If several processes do so with the same row, one of them succeeds.

        Raises:
            DoesNotExist: the delivery is unsigned, or the row is gone.
        """
        # Read before the row is deleted: a list may have deferred the body.
        delivery = Delivery(
            endpoint=self.endpoint,
            body=bytes(self.body),
            headers=self.headers,
            remote_addr=self.remote_addr,
            received_at=self.received_at,
            signed=True,
            **notes_of(self.headers),
        )
        taken, _rows = type(self).objects.filter(pk=self.pk, verified=True).delete()
        if not taken:
            raise type(self).DoesNotExist
        return delivery


def _shown(time: datetime) -> str:
    """Return a time in the current time zone, as the pages show it."""
    shown = timezone.localtime(time) if timezone.is_aware(time) else time
    return f"{shown:%Y-%m-%d %H:%M:%S}"
