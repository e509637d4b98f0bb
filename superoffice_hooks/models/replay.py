"""The replay: events whose receivers are called again on purpose, and its progress.

It does not touch the queue: it claims no event and makes none due. The list of its events is not
stored. They are the events that meet the criteria, in the order of their primary keys, from
``position`` to ``up_to``. So a replay may change the statuses that it selects by.

One process at a time works on it and has the claim of the replay. ``position``, the counts and the
lease are updated in one statement, for up to 50 events, or for each event if receivers are slow. If
the process dies, the next one tries these events again, with the receivers that have not succeeded.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Self

from django.db import models, router
from django.db.models import Case, F, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf
from . import queue
from .clock import NOW, InSeconds
from .replay_queryset import ReplayQuerySet


class Replay(models.Model):
    """Events whose receivers are called again: who wants it, for what reason, and its results."""

    class State(models.TextChoices):
        """The state of a replay."""

        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        STALLED = "stalled", _("stalled")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    # The columns in which an event is counted, by its result.
    SUCCEEDED = ("done",)
    SKIPPED = ("done", "skipped")
    FAILED = ("failed",)
    BUSY = ("failed", "busy")

    who = models.CharField(_("who"), max_length=255)
    reason = models.TextField(_("reason"))
    criteria = models.JSONField(_("criteria"), default=dict)
    receivers = models.JSONField(_("receivers"), null=True)
    """Dotted paths of the receivers to call; null means all that are connected then."""
    only_failed = models.BooleanField(_("only receivers that failed"), default=False)
    """Whether to call, for each event, only those of them whose last run was no success."""
    only_newest = models.BooleanField(_("only the newest event of each record"), default=False)
    """Whether to call each of them only for the newest of its events of a record."""
    planned = models.PositiveIntegerField(_("planned"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    """How many of the done had no receiver to call."""
    busy = models.PositiveIntegerField(_("busy"), default=0)
    """How many of the failed were unfinished, so that their ordinary dispatch calls receivers."""
    up_to = models.PositiveBigIntegerField(_("up to"), default=0)
    """The primary key of the last event of the replay; later events are no part of it."""
    position = models.PositiveBigIntegerField(_("position"), default=0)
    """The primary key of the last event that was tried."""
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claim = models.BigIntegerField(_("claim"), null=True, editable=False)
    """The random token of the process that works on it."""
    claimed_by = models.CharField(_("claimed by"), max_length=100, blank=True)
    """The host and the process that claimed it last."""
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    """When others may claim it, by the database's clock; null if they may at once."""
    stalls = models.PositiveSmallIntegerField(_("stalls"), default=0)
    """How often the process that worked on it has died, since ``position`` last changed."""
    finished_at = models.DateTimeField(_("finished at"), null=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=255)

    held: int | None = None  # the token of this instance's claim
    _sure_until = 0.0  # no other process can have the claim before, by the monotonic clock

    objects = models.Manager.from_queryset(ReplayQuerySet)()

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["finished_at"], name="superoffice_replay_finished"),
        ]

    def __str__(self) -> str:
        return str(_("Replay %(number)s by %(who)s") % {"number": self.pk, "who": self.who})

    @classmethod
    def begin(cls, who: str, **values: Any) -> Self:
        """Store a new replay, claimed by this process, which may carry it on at once."""
        token, since = queue.new_token(), time.monotonic()
        columns = {"claim": token, "claimed_until": _lease(), "claimed_by": queue.this_process()}
        planned = cls(who=who[:255], **columns, **values)
        planned.save(force_insert=True, using=router.db_for_write(cls))
        planned._read()
        planned._hold(token, since)
        return planned

    @property
    def state(self) -> State:
        """Return the state, by the columns of this instance."""
        if self.finished_at:
            return self.State.CANCELLED if self.cancelled_by else self.State.FINISHED
        if self.claim is None or self.claimed_until is None:
            return self.State.WAITING
        return self.State.RUNNING if self.claimed_until > timezone.now() else self.State.STALLED

    @property
    def tried(self) -> int:
        """Return how many events were tried."""
        return self.done + self.failed

    @property
    def remaining(self) -> int:
        """Return about how many events are left, or were left when it was cancelled."""
        return 0 if self.state == self.State.FINISHED else max(self.planned - self.tried, 0)

    @property
    def dropped(self) -> int:
        """Return how many events did not meet the criteria any more when it was their turn."""
        return max(self.planned - self.tried, 0) if self.state == self.State.FINISHED else 0

    def concerns(self, receiver: str) -> bool:
        """Return whether the replay is for the receiver with this dotted path."""
        return self.receivers is None or receiver in self.receivers

    def take(self) -> bool:
        """Claim the replay for this process; return False if it has ended or is claimed.

        If a claim has lapsed, its process has died.
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
        taken = bool(self._row().waiting().update(**claimed, claimed_by=queue.this_process()))
        self._read()
        if taken:
            self._hold(token, since)
        return taken

    def keep(self) -> bool:
        """Return whether this process still has the claim.

        It takes a query only if the lease may have ended, as after the process stood still.
        """
        if self.held is None:
            return False
        return time.monotonic() < self._sure_until or self.renew()

    def renew(self) -> bool:
        """Renew the claim for another lease; return whether this process still had it."""
        since = time.monotonic()
        renewed = bool(self._held().update(claimed_until=_lease()))
        if renewed:
            self._sure_until = since + conf.current().LEASE_SECONDS
        return renewed

    def advance(self, position: int, counts: Mapping[str, int]) -> bool:
        """Count events that were tried, and renew the claim; return whether to go on.

        If the claim is lost, another process tries these events now and counts them.
        """
        since = time.monotonic()
        moved: dict[str, Any] = {name: getattr(self, name) + n for name, n in counts.items()}
        if position != self.position:
            moved |= {"position": position, "stalls": 0}
        if position >= self.up_to:
            self._end(**moved, finished_at=NOW)
        elif self._step(self._held().filter(finished_at=None), claimed_until=_lease(), **moved):
            self._sure_until = since + conf.current().LEASE_SECONDS
        else:
            # The replay was cancelled while these events were tried. They count.
            self._end(**moved)
        return self.held is not None

    def note_stalls(self, stalls: int) -> None:
        """Store the number of ``stalls``."""
        self._step(self._held(), stalls=stalls)

    def release(self) -> None:
        """End the claim, or the rest after an error: another process may go on at once."""
        if self.held is None:
            self._row().filter(claim=None).update(claimed_until=None)
        self._end()

    def rest(self) -> None:
        """End the claim: another process may go on after a lease."""
        self._end(claimed_until=_lease())

    def finish(self) -> None:
        """Note that there is no further event."""
        self._end(finished_at=NOW)

    def cancel(self, who: str) -> bool:
        """End the replay, after the events that are being tried; return False if it had ended."""
        rows = self._row().filter(finished_at=None)
        cancelled = rows.update(finished_at=NOW, cancelled_by=who[:255] or "?")
        self._read()
        return bool(cancelled)

    def _hold(self, token: int, since: float) -> None:
        self.held = token
        self._sure_until = since + conf.current().LEASE_SECONDS

    def _end(self, **changes: Any) -> None:
        """End the claim and make these changes, if it is still ours; read the row again."""
        if self.held is None:
            return
        self._held().update(**{"claim": None, "claimed_until": None, **changes})
        self.held = None
        self._read()

    def _row(self) -> ReplayQuerySet:
        return type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk)

    def _held(self) -> ReplayQuerySet:
        return self._row().filter(claim=queue.LOST if self.held is None else self.held)

    def _step(self, rows: ReplayQuerySet, **changes: Any) -> bool:
        """Update the row, if it is among these, and this instance with it."""
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            set_to = timezone.now() + value.delta if isinstance(value, InSeconds) else value
            setattr(self, name, set_to)
        return True

    def _read(self) -> None:
        # A replay without runs may have been deleted.
        with suppress(type(self).DoesNotExist):
            self.refresh_from_db(using=router.db_for_write(type(self)))


def _lease() -> InSeconds:
    return InSeconds(conf.current().LEASE_SECONDS)
