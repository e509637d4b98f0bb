"""The failure group: failures of one receiver that have the same cause."""

from datetime import datetime
from typing import ClassVar, NamedTuple, Self

from django.db import IntegrityError, models, router
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .clock import InSeconds
from .fields import IdentifierField
from .inserting import savepoint

SEEN_EVERY_SECONDS = 10
"""``last_seen`` is written no more often, so that a thousand failures do not wait for one row."""

MAX_LENGTH = 255
"""How many characters are stored of an exception's name, and of a frame."""

_WHO_LENGTH = 255
_ERROR_LENGTH = 500


class Fingerprint(NamedTuple):
    """The cause of a failure of one receiver."""

    receiver: str
    """The dotted path."""
    exception: str
    """The exception's type: ``KeyError``, ``requests.exceptions.ConnectionError``."""
    frame: str
    """``helpdesk/receivers.py:escalate``; empty if no code of the project was running."""
    key: str
    """A hash of the whole names. Failures with the same key are in the same group."""


class Seen(NamedTuple):
    """The group of a failure that has just been recorded."""

    key: int
    """Its primary key."""
    opened: "FailureGroup | None" = None
    """The group, if this failure has opened it: it is new, was resolved, or its mute has ended."""
    is_reopened: bool = False
    """Whether the group that was opened is not new."""


class FailureGroupQuerySet(models.QuerySet["FailureGroup"]):
    """Failure groups, by their state."""

    def opened(self) -> Self:
        """Return the groups that are open, or whose mute has ended."""
        group = FailureGroup.State
        return self.filter(Q(state=group.OPEN) | _mute_has_ended())

    def see(self, fingerprint: Fingerprint, error: str) -> Seen:
        """Note a failure in its group. The group is created if there is none.

        If several processes have a failure with a new cause at once, one of them opens the group.
        """
        group = self.filter(fingerprint=fingerprint.key)
        # The time is by the same clock as last_seen.
        known = group.annotate(time=InSeconds(0)).values_list("pk", "state", "last_seen", "time")
        if not (row := known.first()):
            try:
                with savepoint(self.db):
                    self._open(fingerprint, error)
            except IntegrityError:
                row = known.get()
            else:
                opened = group.get()
                return Seen(opened.pk, opened)
        key, state, last_seen, time = row
        over = Q(state=FailureGroup.State.RESOLVED) | _mute_has_ended()
        if state != FailureGroup.State.OPEN and group.filter(over).update(
            state=FailureGroup.State.OPEN,
            muted_until=None,
            reopened_at=InSeconds(),
            last_seen=InSeconds(),
            error=error[:_ERROR_LENGTH],
        ):
            return Seen(key, group.get(), is_reopened=True)
        if (time - last_seen).total_seconds() > SEEN_EVERY_SECONDS:
            late = Q(last_seen__lt=InSeconds(-SEEN_EVERY_SECONDS))
            group.filter(late).update(last_seen=InSeconds())
        return Seen(key)

    def _open(self, fingerprint: Fingerprint, error: str) -> None:
        self.create(
            fingerprint=fingerprint.key,
            receiver=fingerprint.receiver,
            exception=fingerprint.exception,
            frame=fingerprint.frame,
            error=error[:_ERROR_LENGTH],
            first_seen=InSeconds(),
            last_seen=InSeconds(),
        )


class FailureGroup(models.Model):
    """Failures of one receiver with the same cause, and the state that a person gave them."""

    class State(models.TextChoices):
        """The state of a group."""

        OPEN = "open", _("open")
        MUTED = "muted", _("muted")
        RESOLVED = "resolved", _("resolved")

    fingerprint = IdentifierField(_("fingerprint"), max_length=64, unique=True, editable=False)
    receiver = IdentifierField(_("receiver"), max_length=255)
    exception = models.CharField(_("exception"), max_length=MAX_LENGTH)
    frame = models.CharField(_("place in the code"), max_length=MAX_LENGTH, blank=True)
    """``helpdesk/receivers.py:escalate``; empty if no code of the project was running."""
    error = models.CharField(_("error"), max_length=_ERROR_LENGTH)
    """The first line of the error that opened the group."""
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    muted_until = models.DateTimeField(_("muted until"), null=True)
    """When a muted group is open again; null if it is muted until a person changes its state."""
    who = models.CharField(_("who"), max_length=_WHO_LENGTH, blank=True)
    """The person who last set the state."""
    reason = models.TextField(_("reason"), blank=True)
    said = models.CharField(_("said"), max_length=10, choices=State, blank=True)
    """The state that the person set; a failure may have opened the group again since then."""
    said_at = models.DateTimeField(_("said at"), null=True)
    """When the person set it."""
    reopened_at = models.DateTimeField(_("reopened at"), null=True)
    """When a failure reopened it after that; null if none did."""

    objects = models.Manager.from_queryset(FailureGroupQuerySet)()

    class Meta:
        verbose_name = _("failure group")
        verbose_name_plural = _("failure groups")
        ordering: ClassVar = ["-last_seen", "-id"]
        permissions: ClassVar = [
            ("triage_failuregroup", _("Can mute, resolve and reopen failure groups"))
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "last_seen"], name="superoffice_group_state"),
            models.Index(fields=["last_seen"], name="superoffice_group_seen"),
        ]

    def __str__(self) -> str:
        about = {"exception": self.exception, "receiver": self.receiver}
        return gettext("%(exception)s in %(receiver)s") % about

    @property
    def current_state(self) -> State:
        """Return the state; a group is open once its mute has ended."""
        state = self.State(self.state)
        is_over = self.muted_until is not None and self.muted_until <= timezone.now()
        return self.State.OPEN if state == self.State.MUTED and is_over else state

    def mute(self, *, who: str, reason: str, until: datetime | None = None) -> None:
        """Say that its failures are known: no signal is sent until this time; None: for good."""
        self._say(self.State.MUTED, who, reason, until)

    def resolve(self, *, who: str, reason: str) -> None:
        """Say that the cause is gone; the next failure reopens the group."""
        self._say(self.State.RESOLVED, who, reason)

    def reopen(self, *, who: str, reason: str) -> None:
        """Say that the cause is not gone, or not to be muted."""
        self._say(self.State.OPEN, who, reason)

    def _say(self, state: State, who: str, reason: str, until: datetime | None = None) -> None:
        using = router.db_for_write(type(self))
        type(self).objects.using(using).filter(pk=self.pk).update(
            state=state,
            muted_until=until,
            who=who[:_WHO_LENGTH],
            reason=reason,
            said=state,
            said_at=InSeconds(),
            reopened_at=None,
        )
        self.refresh_from_db(using=using)


def _mute_has_ended() -> Q:
    return Q(state=FailureGroup.State.MUTED, muted_until__lte=InSeconds(0))
