"""The life of an event.

Its ``status`` goes these ways::

    pending ──→ running ──→ succeeded   every receiver ran
       ↑           │ └────→ skipped     it was for no receiver, or a test
       └───────────┼──────→ failed ──→ handled   gave up: wants a person, who replays
         a receiver raised; due again at next_attempt_at     it, or says it is dealt with

Running means claimed, until ``claimed_until``, by one process. With DISPATCH = "after_response" an
event is stored already running, claimed by the process that will call its receivers once
SuperOffice has its answer; otherwise it is stored pending. An event found running past its time is
abandoned, its process is gone, and anybody may claim it.

All changes are compare-and-set on the claim, so they are right on every database, and a process
that lost its claim changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from django.db import connections, models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf

_Row = TypeVar("_Row", bound="Claimable", covariant=True)  # noqa: PLC0105  (shorter)


class ClaimableQuerySet(models.QuerySet[_Row]):
    """Rows by whether somebody should, or may, work on them."""

    def due(self) -> Self:
        """Waiting for somebody to dispatch them now: pending, or abandoned."""
        now = timezone.now()
        return self.filter(
            Q(status=Claimable.Status.PENDING, next_attempt_at__lte=now)
            | Q(status=Claimable.Status.RUNNING, claimed_until__lt=now)
        )

    def claimable(self) -> Self:
        """Not being dispatched by a living process."""
        return self.exclude(_held())

    def claim_due(self, most: int) -> list[_Row]:
        """Claim up to so many due rows, the longest due first; nobody else gets the same ones.

        Where the database can, rows another process is about to claim are skipped instead of
        waited for.
        """
        using = router.db_for_write(self.model)
        due = self.using(using).due().order_by("next_attempt_at", "pk")
        if not connections[using].features.has_select_for_update_skip_locked:
            return [row for row in due[:most] if row.claim()]
        with transaction.atomic(using=using):
            return [row for row in due.select_for_update(skip_locked=True)[:most] if row.claim()]


class Claimable(models.Model):
    """What an Event knows of its own dispatch, and the steps from one status to the next."""

    class Status(models.TextChoices):
        """Where in its life an event is; see the module."""

        PENDING = "pending", _("pending")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("skipped")
        HANDLED = "handled", _("handled")

    UNFINISHED = (Status.PENDING, Status.RUNNING)
    DONE = (Status.SUCCEEDED, Status.SKIPPED, Status.HANDLED)
    """Finished, and wanting nobody."""

    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    handled_by = models.CharField(_("handled by"), max_length=255, blank=True)
    handled_why = models.TextField(_("handled because"), blank=True)

    class Meta:
        abstract = True

    @classmethod
    def initially(cls, received_at: datetime) -> dict[str, Any]:
        """The status a row is stored with, so that claiming it costs no statement of its own."""
        match conf.current().DISPATCH:
            case "after_response":
                return {"status": cls.Status.RUNNING, "attempts": 1, "claimed_until": lease()}
            case "task":
                # Left to the queue; if that loses it, it is due when a lease would be over.
                return {"status": cls.Status.PENDING, "next_attempt_at": lease()}
            case _:
                return {"status": cls.Status.PENDING, "next_attempt_at": received_at}

    @property
    def is_claimed(self) -> bool:
        """Whether a process holds this row, as far as this instance has seen."""
        return (
            self.status == self.Status.RUNNING
            and self.claimed_until is not None
            and self.claimed_until >= timezone.now()
        )

    @property
    def is_due(self) -> bool:
        """Whether it waits for somebody to dispatch it now, as far as this instance has seen."""
        now = timezone.now()
        match self.status:
            case self.Status.PENDING:
                return self.next_attempt_at is not None and self.next_attempt_at <= now
            case self.Status.RUNNING:
                return not self.is_claimed
        return False

    def claim(self) -> bool:
        """Take the row for this process to dispatch; False if another one has it.

        Of several processes that saw the same row, one succeeds.
        """
        seen = {"status": self.status, "claimed_until": self.claimed_until}
        rows = self._rows().exclude(_held()).filter(attempts=self.attempts, **seen)
        return self._step(
            rows, status=self.Status.RUNNING, claimed_until=lease(), attempts=self.attempts + 1
        )

    def release(self) -> bool:
        """Give the claim back unused; the attempt does not count."""
        return self._step(
            self._claimed(),
            status=self.Status.PENDING,
            claimed_until=None,
            next_attempt_at=timezone.now(),
            attempts=self.attempts - 1,
        )

    def postpone(self, next_attempt_at: datetime) -> Status:
        """End the claim for now; due again at that time. Returns the status as known here."""
        self._step(
            self._claimed(),
            status=self.Status.PENDING,
            claimed_until=None,
            next_attempt_at=next_attempt_at,
        )
        return self.Status(self.status)

    def conclude(self, status: Status) -> Status:
        """End the claim for good. Returns the status as known here."""
        self._step(
            self._claimed(),
            status=status,
            claimed_until=None,
            next_attempt_at=None,
            finished_at=timezone.now(),
        )
        return self.Status(self.status)

    def revive(self) -> bool:
        """Make a failed row due again, for one more attempt."""
        return self._step(
            self._rows().filter(status=self.Status.FAILED),
            status=self.Status.PENDING,
            next_attempt_at=timezone.now(),
            finished_at=None,
            attempts=min(self.attempts, conf.current().MAX_ATTEMPTS - 1),
        )

    def handle(self, *, who: str, why: str) -> bool:
        """Note that a person has dealt with a failed row otherwise; False if it has not failed."""
        return self._step(
            self._rows().filter(status=self.Status.FAILED),
            status=self.Status.HANDLED,
            handled_by=who[:255],
            handled_why=why,
        )

    def _rows(self) -> models.QuerySet[Self]:
        return type(self)._default_manager.filter(pk=self.pk)

    def _claimed(self) -> models.QuerySet[Self]:
        return self._rows().filter(status=self.Status.RUNNING, claimed_until=self.claimed_until)

    def _step(self, rows: models.QuerySet[Self], **changes: Any) -> bool:
        """Update the row if it still is as this instance saw it, and this instance with it."""
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True


def lease() -> datetime:
    """When a claim that begins now ends, unless it is given back before."""
    return timezone.now() + timedelta(seconds=conf.current().LEASE_SECONDS)


def _held() -> Q:
    return Q(status=Claimable.Status.RUNNING, claimed_until__gte=timezone.now())
