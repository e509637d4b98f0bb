"""The receiver run: one row for each call of a receiver for an event."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import connections, models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..exceptions import GiveUp, RetryLater
from ..wire import tracebacks
from ..wire.values import storable_text
from .event import Event
from .failure_group import FailureGroup
from .fields import IdentifierField, QueueIndex
from .gathering import Gathering
from .inserting import insert
from .replay import Replay
from .run_queryset import ReceiverRunQuerySet
from .updating import Update
from .updating import run as run_updates

if TYPE_CHECKING:
    from .members import Members

_ERROR_LENGTH = 500
_TRACEBACK_LENGTH = 20_000


class ReceiverRun(models.Model):
    """One call of one receiver for one event, with its outcome."""

    FIRST_DISPATCH = 0

    class Outcome(models.TextChoices):
        """How the call ended."""

        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        POSTPONED = "postponed", _("postponed")
        GAVE_UP = "gave_up", _("gave up")
        JOINED = "joined", _("joined")

        @classmethod
        def of(cls, error: BaseException) -> "ReceiverRun.Outcome":
            """Return the outcome of a call that raised this."""
            match error:
                case RetryLater():
                    return cls.POSTPONED
                case GiveUp():
                    return cls.GAVE_UP
            return cls.FAILED

    SETTLED = (Outcome.SUCCEEDED, Outcome.GAVE_UP, Outcome.JOINED)
    UNSUCCESSFUL = (Outcome.FAILED, Outcome.POSTPONED, Outcome.GAVE_UP)

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
    gathering = models.ForeignKey(
        Gathering,
        verbose_name=_("gathering"),
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="runs",
        # Without a constraint, an INSERT need not look for the gathering.
        db_constraint=False,
        db_index=False,
    )
    """The gathering that it has joined, until the call."""
    with_event = models.BigIntegerField(_("with event"), null=True)
    """The primary key of the newest event of the call, if the call was for several; or null."""
    # Null unless it succeeded or has joined. No two nulls are equal to a database. So the unique
    # key lets a receiver fail any number of times, and join or succeed once; also on databases
    # without partial indexes.
    succeeded_in = models.PositiveBigIntegerField(_("succeeded in"), null=True, editable=False)

    # The index begins with it.
    group = models.ForeignKey(
        FailureGroup,
        verbose_name=_("failure group"),
        null=True,
        on_delete=models.PROTECT,
        related_name="runs",
        db_index=False,
    )
    counts_in_group = models.BooleanField(_("counts in its group"), default=False, editable=False)
    """Whether the event is still failed, or retried, because of this run: the receiver has no later
    run, and nobody has handled the event."""

    members: "Members | None" = None
    """The events of a gathered call, whose runs have joined. Then this run has no row of its own.
    Not stored."""
    retry_after: float | None = None
    """After how many seconds the receiver wants to be called again. Not stored."""

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
            models.Index(fields=["outcome", "started_at", "group"], name="superoffice_run_outcome"),
            models.Index(fields=["receiver", "outcome", "event"], name="superoffice_run_receiver"),
            QueueIndex(fields=["group", "counts_in_group", "event"], name="superoffice_run_group"),
            QueueIndex(fields=["gathering", "id"], name="superoffice_run_gathering"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} {self.get_outcome_display()}"

    @property
    def is_settled(self) -> bool:
        """Return whether the receiver need not be called again."""
        return self.outcome in self.SETTLED

    @classmethod
    def begin(cls, event: Event, receiver: str, replay: Replay | None) -> Self:
        """Return a run that starts now. It is stored when it has an outcome."""
        return cls(
            event=event,
            receiver=receiver,
            replay=replay,
            attempt=event.attempts,
            started_at=timezone.now(),
        )

    @classmethod
    def joining(cls, receiver: str, gathering: int, **columns: Any) -> Self:
        """Return the run with which an event joins a gathering, by its primary key. Not stored."""
        return cls(
            receiver=receiver,
            outcome=cls.Outcome.JOINED,
            succeeded_in=cls.FIRST_DISPATCH,
            gathering_id=gathering,
            **{"started_at": timezone.now(), **columns},
        )

    def succeed(self) -> None:
        """Note that the receiver returned; ``store`` stores it."""
        self.outcome = self.Outcome.SUCCEEDED
        self.succeeded_in = self.replay_id or self.FIRST_DISPATCH
        self.duration = timezone.now() - self.started_at

    def fail(self, error: BaseException) -> None:
        """Note what the receiver raised. The outcome depends on its class."""
        self.outcome = self.Outcome.of(error)
        if isinstance(error, RetryLater):
            self.retry_after = error.wait
        self.succeeded_in = None
        self.duration = timezone.now() - self.started_at
        self._describe(error)

    def store(self, before: Sequence[Update] = ()) -> None:
        """Insert the row after some updates; a success inside the receiver's own transaction.

        Raises:
            IntegrityError: the receiver has succeeded already, in another process.
        """
        if self.members is not None:
            run_updates(connections[router.db_for_write(type(self))], before)
            self.members.store(self)
            return
        # After a success that was rolled back, it has the key of a row that does not exist.
        self.pk = None
        using = router.db_for_write(type(self))
        insert(self, using, [*before, *self.overtaking(using)])

    def join(self, group: int) -> None:
        """Put a failure into its group, by primary key; ``store`` stores it."""
        self.group_id = group
        self.counts_in_group = self.event.status != Event.Status.HANDLED

    def overtaking(self, using: str) -> list[Update]:
        """Return the update after which earlier runs of the receiver count in no failure group."""
        is_first = self.attempt <= 1 and self.replay_id is None
        if is_first and self.outcome == self.Outcome.SUCCEEDED:
            return []
        runs = type(self).objects.using(using).filter(event=self.event_id, receiver=self.receiver)
        keys = list(runs.filter(counts_in_group=True).values_list("pk", flat=True))
        return [Update(type(self), {"counts_in_group": False}, keys)] if keys else []

    def note(self, error: BaseException) -> None:
        """Store an error with a run that is stored, without changing its outcome."""
        self._describe(error)
        if self.members is not None:
            self.members.note(self)
            return
        self.save(update_fields=["error", "traceback"], using=router.db_for_write(type(self)))

    def success_elsewhere(self) -> "ReceiverRun | None":
        """Return the stored success of the receiver, if another process had one."""
        runs = type(self).objects.using(router.db_for_write(type(self)))
        same = runs.filter(event=self.event, replay=self.replay, receiver=self.receiver)
        return same.filter(outcome=self.Outcome.SUCCEEDED).first()

    def _describe(self, error: BaseException) -> None:
        # Cut before anything else: a message may have megabytes.
        headline = tracebacks.headline(error)[:_ERROR_LENGTH]
        whole = tracebacks.whole(error, error.__traceback__)[-_TRACEBACK_LENGTH:]
        self.error, self.traceback = storable_text(headline), storable_text(whole)
