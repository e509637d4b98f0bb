"""The replay: events dispatched again on purpose, and how far that has come.

It stands beside the queue: no event is claimed or made due by it. Its work list is not stored. It
is the events that meet the criteria, in the order of their primary keys, after ``position`` and up
to ``up_to``; so it makes no difference that a replay changes the very statuses it selects by.

One process at a time works on it, under a claim of the replay's own. ``position``, the counts and
the lease move on together, in one statement for some dozens of events, or for one while receivers
are slow. A process that dies therefore repeats these at most, and in them only the receivers that
had not succeeded. A claim that ends without progress is counted in ``stalls``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django.db import models, router
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf
from . import queue
from .clock import InSeconds

_LONGEST_NAME = 255


class ReplayQuerySet(models.QuerySet["Replay"]):
    """Replays, by whether there is something left to do."""

    def waiting(self) -> Self:
        """Return those that are unfinished, and that no living process works on."""
        free = Q(claim=None) | Q(claimed_until__lte=InSeconds(0))
        return self.filter(free, finished_at=None)


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
    claim = models.BigIntegerField(_("claim"), null=True, editable=False)
    """The random token of the process that works on it."""
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    stalls = models.PositiveSmallIntegerField(_("stalls"), default=0)
    """How often it was claimed since it last moved on."""
    finished_at = models.DateTimeField(_("finished at"), null=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=_LONGEST_NAME)

    held: int | None = None
    """The token of this instance's claim; not stored."""

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
        """Store a new replay, claimed by this process: whoever plans it goes first."""
        token = queue.new_token()
        columns = {"claim": token, "claimed_until": _lease()}
        planned = cls(who=who[:_LONGEST_NAME], **columns, **values)
        planned.save(force_insert=True, using=router.db_for_write(cls))
        planned._read()
        planned.held = token
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

    def take(self) -> bool:
        """Claim the replay for this process; False if it is finished or another process has it.

        What other processes have done meanwhile is read.
        """
        if self.held is not None:
            return True
        token = queue.new_token()
        claimed = {"claim": token, "claimed_until": _lease(), "stalls": F("stalls") + 1}
        if not self._row().waiting().update(**claimed):
            return False
        self._read()
        self.held = token
        return True

    def advance(self, position: int, counts: Mapping[str, int]) -> bool:
        """Count events that were tried and renew the claim; return whether to go on.

        Not after the last event that was planned, not after ``cancel``, and not if the claim was
        lost: then another process is at these events now and counts them.
        """
        moved: dict[str, Any] = {name: getattr(self, name) + n for name, n in counts.items()}
        if position != self.position:
            moved |= {"position": position, "stalls": 0}
        if position >= self.up_to:
            self._end(**moved, finished_at=InSeconds())
        elif not self._step(self._held().filter(finished_at=None), claimed_until=_lease(), **moved):
            # The events were being tried when somebody cancelled, so they count.
            self._end(**moved)
            self._read()
        return self.held is not None

    def renew(self) -> None:
        """Let the claim last for another lease."""
        self._held().update(claimed_until=_lease())

    def release(self) -> None:
        """Give the claim back, for others to go on from here."""
        self._end()

    def finish(self) -> None:
        """Note that there is no further event."""
        self._end(finished_at=InSeconds())

    def cancel(self, who: str) -> bool:
        """End it; False if it had ended. The events that are being tried are finished."""
        rows = self._row().filter(finished_at=None)
        cancelled = rows.update(finished_at=InSeconds(), cancelled_by=who[:_LONGEST_NAME] or "?")
        self._read()
        return bool(cancelled)

    def _end(self, **changes: Any) -> None:
        """End the claim, if it is still ours, with these changes."""
        self._step(self._held(), claim=None, claimed_until=None, **changes)
        self.held = None

    def _row(self) -> ReplayQuerySet:
        return type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk)

    def _held(self) -> ReplayQuerySet:
        return self._row().filter(claim=self.held)

    def _step(self, rows: ReplayQuerySet, **changes: Any) -> bool:
        """Update the row if it still is as this instance saw it, and this instance with it."""
        if self.held is None or not rows.update(**changes):
            return False
        for name, value in changes.items():
            is_time = isinstance(value, InSeconds)
            setattr(self, name, timezone.now() + value.delta if is_time else value)
        return True

    def _read(self) -> None:
        self.refresh_from_db(using=router.db_for_write(type(self)))


def _lease() -> InSeconds:
    return InSeconds(conf.current().LEASE_SECONDS)
