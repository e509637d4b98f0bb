"""What came of an event: one row for each call of a receiver."""

import traceback
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models, router
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..exceptions import GiveUp, RetryLater
from ..values import storable_text
from .event import Event
from .identifier import IdentifierField
from .inserting import insert
from .replay import Replay
from .updating import Update

_ERROR_LENGTH = 500
_TRACEBACK_LENGTH = 20_000


class ReceiverRunQuerySet(models.QuerySet["ReceiverRun"]):
    """Runs, by what they were part of."""

    def of(self, event: Event, replay: Replay | None) -> Self:
        """The runs of an event's ordinary dispatch, or of one replay of it."""
        return self.filter(event=event, replay=replay)

    def settled_by_event(self) -> dict[int, dict[str, str]]:
        """Return the outcomes of receivers that need no further call, by event and receiver."""
        return self.filter(outcome__in=ReceiverRun.SETTLED).latest_by_event()

    def latest_by_event(self) -> dict[int, dict[str, str]]:
        """Return the outcome of each receiver's latest run, by event and receiver."""
        latest = defaultdict[int, dict[str, str]](dict)
        runs = self.order_by("pk").values_list("event_id", "receiver", "outcome")
        for event, receiver, outcome in runs:
            latest[event][receiver] = outcome
        return dict(latest)

    def still_failed(self) -> Self:
        """The runs that were no success and were the last of their event's for that receiver."""
        same = ReceiverRun.objects.using(self.db).filter(
            event=OuterRef("event"), receiver=OuterRef("receiver"), pk__gt=OuterRef("pk")
        )
        failed = self.exclude(outcome=ReceiverRun.Outcome.SUCCEEDED)
        return failed.filter(~Exists(same))


class ReceiverRun(models.Model):
    """One call of one receiver for one event, with its outcome."""

    FIRST_DISPATCH = 0

    class Outcome(models.TextChoices):
        """How the call ended."""

        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        POSTPONED = "postponed", _("postponed")
        GAVE_UP = "gave_up", _("gave up")

    SETTLED = (Outcome.SUCCEEDED, Outcome.GAVE_UP)

    # No index of its own: the unique key begins with it.
    event = models.ForeignKey(
        Event,
        verbose_name=_("event"),
        on_delete=models.CASCADE,
        related_name="runs",
        db_index=False,
    )
    receiver = IdentifierField(_("receiver"), max_length=255)
    replay = models.ForeignKey(
        Replay, verbose_name=_("replay"), null=True, on_delete=models.PROTECT, related_name="runs"
    )
    attempt = models.PositiveIntegerField(_("attempt"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    started_at = models.DateTimeField(_("started at"))
    duration = models.DurationField(_("duration"), default=timedelta)
    error = models.CharField(_("error"), max_length=_ERROR_LENGTH)
    traceback = models.TextField(_("traceback"))
    # Null unless it succeeded, and no database finds two nulls equal: so the unique key lets a
    # receiver fail as often as it likes and succeed once, on databases without partial indexes too.
    succeeded_in = models.PositiveBigIntegerField(_("succeeded in"), null=True, editable=False)

    retry_after: float | None = None
    """Seconds the receiver asked to be left alone; not stored, the event's next_attempt_at is."""

    objects = models.Manager.from_queryset(ReceiverRunQuerySet)()

    class Meta:
        verbose_name = _("receiver run")
        verbose_name_plural = _("receiver runs")
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["event", "receiver", "succeeded_in"], name="superoffice_run_succeeds_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["outcome", "started_at"], name="superoffice_run_outcome"),
            models.Index(fields=["receiver", "outcome", "event"], name="superoffice_run_receiver"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} {self.outcome}"

    @property
    def is_settled(self) -> bool:
        """Whether the receiver need not be called again."""
        return self.outcome in self.SETTLED

    @classmethod
    def begin(cls, event: Event, receiver: str, replay: Replay | None) -> Self:
        """Return a run whose clock starts now; not stored before it has an outcome."""
        return cls(
            event=event,
            receiver=receiver,
            replay=replay,
            attempt=event.attempts,
            started_at=timezone.now(),
        )

    def succeed(self) -> None:
        """Note that the receiver returned; ``store`` writes it down."""
        self.outcome = self.Outcome.SUCCEEDED
        self.succeeded_in = self.replay_id or self.FIRST_DISPATCH
        self.duration = timezone.now() - self.started_at

    def fail(self, error: BaseException) -> None:
        """Note what the receiver raised, which may want more or fewer attempts."""
        match error:
            case RetryLater():
                self.outcome, self.retry_after = self.Outcome.POSTPONED, error.seconds
            case GiveUp():
                self.outcome = self.Outcome.GAVE_UP
            case _:
                self.outcome = self.Outcome.FAILED
        self.succeeded_in = None
        self.duration = timezone.now() - self.started_at
        self._describe(error)

    def store(self, before: Sequence[Update] = ()) -> None:
        """Insert the row after some updates; a success inside the receiver's own transaction.

        Raises:
            IntegrityError: the receiver has succeeded already, in another process.
        """
        # A success that was rolled back leaves the key of a row that is not there.
        self.pk = None
        insert(self, router.db_for_write(type(self)), before)

    def note(self, error: BaseException) -> None:
        """Keep an error beside a run that is stored, whose outcome it does not change."""
        self._describe(error)
        self.save(update_fields=["error", "traceback"], using=router.db_for_write(type(self)))

    def success_elsewhere(self) -> "ReceiverRun | None":
        """Return the stored success of the receiver, if another process had one."""
        runs = type(self).objects.using(router.db_for_write(type(self)))
        return (
            runs.of(self.event, self.replay)
            .filter(receiver=self.receiver, outcome=self.Outcome.SUCCEEDED)
            .first()
        )

    def _describe(self, error: BaseException) -> None:
        # format_exception_only survives errors whose own __str__ raises.
        headline = "".join(traceback.format_exception_only(error)).strip()
        whole = "".join(traceback.format_exception(error))
        self.error = storable_text(headline)[:_ERROR_LENGTH]
        self.traceback = storable_text(whole)[-_TRACEBACK_LENGTH:]
