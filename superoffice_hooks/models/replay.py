"""The replay: events dispatched again on purpose, and how far that has come.

It stands beside the queue: no event is claimed or made due by it. Its work list is not stored. It
is the events that meet the criteria, in the order of their primary keys, after ``position`` and up
to ``up_to``; so it makes no difference that a replay changes the very statuses it selects by.

One process at a time works on it, under a claim of the replay's own. ``position``, the counts and
the lease move on together, in one statement for some dozens of events, or for one while receivers
are slow. If the process dies, the next one tries these events again, and in them only the receivers
that have not succeeded. ``stalls`` counts the deaths at one place.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Self

from django.db import models, router
from django.db.models import Case, F, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf
from . import queue
from .clock import InSeconds

_LONGEST_NAME = 255


class ReplayQuerySet(models.QuerySet["Replay"]):
    """Replays, by whether there is something left to do."""

    def waiting(self) -> Self:
        """Return those that are unfinished, and that anybody may claim now."""
        free = Q(claimed_until=None) | Q(claimed_until__lte=InSeconds(0))
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
    """Dotted paths of the receivers to run; empty means all that are connected by then."""
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
    """When others may claim it, by the database's clock; null if they may at once."""
    stalls = models.PositiveSmallIntegerField(_("stalls"), default=0)
    """How often the process that worked on it has died since it last moved on."""
    finished_at = models.DateTimeField(_("finished at"), null=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=_LONGEST_NAME)

    held: int | None = None
    """The token of this instance's claim; not stored."""
    _sure_until = 0.0  # nobody else can have the claim before, by the monotonic clock

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
        token, since = queue.new_token(), time.monotonic()
        columns = {"claim": token, "claimed_until": _lease()}
        planned = cls(who=who[:_LONGEST_NAME], **columns, **values)
        planned.save(force_insert=True, using=router.db_for_write(cls))
        planned._read()
        planned._hold(token, since)
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
        """Claim the replay for this process; False if it has ended or another process has it.

        A claim that was not given back is that of a process that died.
        """
        since = time.monotonic()
        if self.held is not None:
            if self._step(self._held().filter(finished_at=None), claimed_until=_lease()):
                self._hold(self.held, since)
                return True
            self._end()
            return False
        token = queue.new_token()
        # Before the claim: MariaDB assigns from left to right.
        stalls = Case(When(claim=None, then=F("stalls")), default=F("stalls") + 1)
        claimed = {"stalls": stalls, "claim": token, "claimed_until": _lease()}
        taken = bool(self._row().waiting().update(**claimed))
        self._read()
        if taken:
            self._hold(token, since)
        return taken

    def keep(self) -> bool:
        """Return whether this process still has the claim.

        The database is asked only if the lease may have ended, as after a process was stopped.
        """
        if self.held is None:
            return False
        return time.monotonic() < self._sure_until or self.renew()

    def renew(self) -> bool:
        """Let the claim last for another lease; return whether it was this process's still."""
        since = time.monotonic()
        renewed = bool(self._held().update(claimed_until=_lease()))
        if renewed:
            self._sure_until = since + conf.current().LEASE_SECONDS
        return renewed

    def advance(self, position: int, counts: Mapping[str, int]) -> bool:
        """Count events that were tried and renew the claim; return whether events are left for us.

        If the claim was lost, another process is at these events now and counts them.
        """
        since = time.monotonic()
        moved: dict[str, Any] = {name: getattr(self, name) + n for name, n in counts.items()}
        if position != self.position:
            moved |= {"position": position, "stalls": 0}
        if position >= self.up_to:
            self._end(**moved, finished_at=InSeconds())
        elif self._step(self._held().filter(finished_at=None), claimed_until=_lease(), **moved):
            self._sure_until = since + conf.current().LEASE_SECONDS
        else:
            # The events were being tried when somebody cancelled, so they count.
            self._end(**moved)
        return self.held is not None

    def note_stalls(self, stalls: int) -> None:
        """Write down another number of deaths."""
        self._step(self._held(), stalls=stalls)

    def release(self) -> None:
        """Give the claim back, or end its rest, for others to go on from here at once."""
        if self.held is None:
            self._row().filter(claim=None).update(claimed_until=None)
        self._end()

    def rest(self) -> None:
        """Give the claim back, for others to go on from here after a lease."""
        self._end(claimed_until=_lease())

    def finish(self) -> None:
        """Note that there is no further event."""
        self._end(finished_at=InSeconds())

    def cancel(self, who: str) -> bool:
        """End it; False if it had ended. The events that are being tried are finished."""
        rows = self._row().filter(finished_at=None)
        cancelled = rows.update(finished_at=InSeconds(), cancelled_by=who[:_LONGEST_NAME] or "?")
        self._read()
        return bool(cancelled)

    def _hold(self, token: int, since: float) -> None:
        self.held = token
        self._sure_until = since + conf.current().LEASE_SECONDS

    def _end(self, **changes: Any) -> None:
        """End the claim, if it is still ours, with these changes; see what became of the replay."""
        if self.held is None:
            return
        self._held().update(**{"claim": None, "claimed_until": None, **changes})
        self.held = None
        self._read()

    def _row(self) -> ReplayQuerySet:
        return type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk)

    def _held(self) -> ReplayQuerySet:
        # No claim is 0.
        return self._row().filter(claim=self.held or 0)

    def _step(self, rows: ReplayQuerySet, **changes: Any) -> bool:
        """Update the row if it still is as this instance saw it, and this instance with it."""
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            set_to = timezone.now() + value.delta if isinstance(value, InSeconds) else value
            setattr(self, name, set_to)
        return True

    def _read(self) -> None:
        # It may have been deleted, as long as it has no runs.
        with suppress(type(self).DoesNotExist):
            self.refresh_from_db(using=router.db_for_write(type(self)))


def _lease() -> InSeconds:
    return InSeconds(conf.current().LEASE_SECONDS)
