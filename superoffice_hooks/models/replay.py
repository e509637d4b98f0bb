"""The replay: events dispatched again on purpose, and how far that has come.

Its work list is not stored. It is the events that meet the criteria, in the order of their primary
keys, after ``position`` and up to ``up_to``; so it makes no difference that a replay changes the
very statuses it selects by. One process at a time works on it, under a claim that ends with its
lease; ``position``, the counts and the lease move on together, in one statement for the events in
hand: few while receivers are slow, some dozens while they are quick. A process that dies therefore
repeats these at most, and in them only the receivers that had not succeeded.
"""

from collections.abc import Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models, router
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf

_LONGEST_NAME = 255


class ReplayQuerySet(models.QuerySet["Replay"]):
    """Replays, by whether there is something left to do."""

    def waiting(self) -> Self:
        """Unfinished, and nobody is working on them."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lt=timezone.now())).filter(
            finished_at=None
        )


class Replay(models.Model):
    """Events dispatched again on purpose: who, why, which, and what came out."""

    class State(models.TextChoices):
        """How far a replay has come."""

        PLANNED = "planned", _("planned")
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    # The columns an event is counted in, by what came of it.
    SUCCEEDED = ("done",)
    SKIPPED = ("done", "skipped")
    FAILED = ("failed",)
    BUSY = ("failed", "busy")

    who = models.CharField(_("who"), max_length=_LONGEST_NAME)
    why = models.TextField(_("why"))
    criteria = models.JSONField(_("criteria"), default=dict)
    receivers = models.JSONField(_("receivers"), default=list)
    """Dotted paths of the receivers to run; empty means all."""
    only_failed = models.BooleanField(_("only receivers that failed"), default=False)
    """Whether to run, for each event, only those of them whose last run did not succeed."""
    planned = models.PositiveIntegerField(_("planned"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    """How many of the done had no receiver to run."""
    busy = models.PositiveIntegerField(_("busy"), default=0)
    """How many of the failed were being dispatched by another process."""
    up_to = models.PositiveBigIntegerField(_("up to"), default=0)
    """The primary key of the last event that was planned; later ones are no part of it."""
    position = models.PositiveBigIntegerField(_("position"), default=0)
    """The primary key of the last event that was tried."""
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=_LONGEST_NAME)

    claim_held: datetime | None = None
    """The claim of this instance, as ``claimed_until`` had it last; not stored."""

    objects = models.Manager.from_queryset(ReplayQuerySet)()

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["finished_at"], name="superoffice_replay_finished"),
        ]

    def __str__(self) -> str:
        return f"Replay {self.pk} by {self.who}"

    @classmethod
    def begin(cls, who: str, **values: Any) -> Self:
        """Write a new replay down, claimed by this process: whoever plans it goes first."""
        claim = _lease()
        planned = cls(who=who[:_LONGEST_NAME], claimed_until=claim, **values)
        planned.save(force_insert=True)
        planned.claim_held = claim
        return planned

    @property
    def state(self) -> State:
        """How far it has come, as far as this instance has seen."""
        if self.finished_at:
            return self.State.CANCELLED if self.cancelled_by else self.State.FINISHED
        return self.State.RUNNING if self.position else self.State.PLANNED

    @property
    def tried(self) -> int:
        """How many events it has behind it."""
        return self.done + self.failed

    @property
    def remaining(self) -> int:
        """How many events it has before it: about, for criteria may fit more or fewer by then."""
        return max(self.planned - self.tried, 0)

    def concerns(self, receiver: str) -> bool:
        """Whether the receiver with this dotted path is to run."""
        return not self.receivers or receiver in self.receivers

    def narrowed_to(self, receivers: set[str]) -> Self:
        """The same replay for those of its receivers alone. None left reads as all: ask first."""
        narrowed = copy(self)
        narrowed.receivers = sorted(filter(self.concerns, receivers))
        return narrowed

    def claim(self) -> bool:
        """Take the replay for this process to work on; False if it is finished or another has it.

        What other processes have done meanwhile is read.
        """
        if self.claim_held and self.claim_held > timezone.now():
            return True
        claim = _lease()
        if not self._row().waiting().update(claimed_until=claim):
            return False
        self._read()
        self.claim_held = claim
        return True

    def advance(self, position: int, counts: Mapping[str, int]) -> bool:
        """Count events that were tried, and claim for the next ones; whether there may be some.

        There is none after the last one that was planned, after ``cancel``, and if the claim was
        lost: then another process is at these events now and counts them.
        """
        moved: dict[str, Any] = {
            name: getattr(self, name) + count for name, count in counts.items()
        }
        moved["position"] = position
        if position >= self.up_to:
            self._end(**moved, finished_at=timezone.now())
        elif not self._step(self._claimed().filter(finished_at=None), _lease(), **moved):
            # The events were in hand when somebody cancelled, so they count.
            self._end(**moved)
            self._read()
        return self.claim_held is not None

    def release(self) -> None:
        """Give the claim back, for whoever comes to go on from here."""
        self._end()

    def finish(self) -> None:
        """Note that there is no further event."""
        self._end(finished_at=timezone.now())

    def cancel(self, who: str) -> bool:
        """End it; False if it had ended. The events in hand are finished."""
        rows = self._row().filter(finished_at=None)
        cancelled = rows.update(finished_at=timezone.now(), cancelled_by=who[:_LONGEST_NAME] or "?")
        self._read()
        return bool(cancelled)

    def _end(self, **changes: Any) -> None:
        """End the claim, if it is still ours, with these changes."""
        self._step(self._claimed(), None, **changes)
        self.claim_held = None

    def _row(self) -> ReplayQuerySet:
        return type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk)

    def _claimed(self) -> ReplayQuerySet:
        return self._row().filter(claimed_until=self.claim_held)

    def _step(self, rows: ReplayQuerySet, claim: datetime | None, **changes: Any) -> bool:
        """Update the row if it still is as this instance saw it, and this instance with it."""
        if self.claim_held is None or not rows.update(claimed_until=claim, **changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        self.claim_held = self.claimed_until = claim
        return True

    def _read(self) -> None:
        self.refresh_from_db(using=router.db_for_write(type(self)))


def _lease() -> datetime:
    # Twice as long as an event's: whoever takes over an abandoned replay finds the event that was
    # in hand free again.
    return timezone.now() + timedelta(seconds=2 * conf.current().LEASE_SECONDS)
