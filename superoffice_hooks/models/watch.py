"""The watch: what looks saw of a webhook at SuperOffice, and what was done to it."""

from typing import Any, ClassVar, Self

from django.db import models, router
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..wire.web_addresses import is_same_place
from .clock import InSeconds
from .fields import IdentifierField

MAX_ROWS = 500
"""How many rows of one endpoint are kept, the newest ones."""

SAVE_SECONDS = 120
"""For how long a save may go on after it was begun, if nothing more is known of it."""

_SAME = ("tenant", "webhook", "state", "differences", "ping")


class WatchQuerySet(models.QuerySet["Watch"]):
    """Watches of one endpoint."""

    def of(self, endpoint: str) -> Self:
        """Return those of an endpoint, the newest first, from the database that takes writes."""
        return self.using(router.db_for_write(Watch)).filter(endpoint=endpoint).order_by("-pk")

    def seen(self) -> Self:
        """Return those in which the state of the webhook is known."""
        return self.exclude(state__in=[Watch.State.UNKNOWN, Watch.State.SAVING])

    def reactivated(self, endpoint: str) -> Self:
        """Return those of the last 24 hours that note an activation as REACTIVATE allows it."""
        rows = self.of(endpoint).filter(action=Watch.Action.REACTIVATED, who="")
        return rows.filter(since__gt=InSeconds(-24 * 3600))


class Watch(models.Model):
    """What looks saw of a webhook. One row for all looks in a row that saw the same."""

    class State(models.TextChoices):
        """The state of the webhook. Names with a capital are SuperOffice's, the others are ours."""

        ACTIVE = "Active", _("active")
        STOPPED = "Stopped", _("stopped")
        TOO_MANY_ERRORS = "TooManyErrors", _("ended after too many errors")
        MISSING = "missing", _("missing")
        SEVERAL = "several", _("several with this address")
        UNKNOWN = "unknown", _("not known")
        SAVING = "saving", _("being saved")

    class Ping(models.TextChoices):
        """The result of the last ping."""

        NONE = "", _("not sent")
        ARRIVED = "arrived", _("arrived")
        LOST = "lost", _("did not arrive")

    class Action(models.TextChoices):
        """What was done to the webhook, besides a look."""

        NONE = "", _("looked")
        CREATED = "created", _("created")
        CHANGED = "changed", _("changed")
        ROTATED = "rotated", _("gave it a new secret")
        DELETED = "deleted", _("deleted")
        TESTED = "tested", _("tested")
        PINGED = "pinged", _("pinged")
        REACTIVATED = "reactivated", _("activated again")

    _MAY_DELIVER = (State.ACTIVE, State.SEVERAL, State.UNKNOWN, State.SAVING)
    """SuperOffice delivers for an active webhook alone, and may have states that are not listed."""

    endpoint = IdentifierField(_("endpoint"), max_length=50)
    tenant = IdentifierField(_("tenant"), max_length=100)
    webhook = models.BigIntegerField(_("webhook"), null=True)
    """Its id in SuperOffice."""
    state = models.CharField(_("state"), max_length=50, choices=State)
    differences = models.JSONField(_("differences"), default=list)
    """The differences to the wanted webhook, each a list of key, wanted and actual value."""
    actual = models.JSONField(_("at SuperOffice"), default=dict)
    """The webhook at SuperOffice, without values of secrets and headers; empty if there is none."""
    ping = models.CharField(_("ping"), max_length=10, choices=Ping, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    """Why the state is not known, or what went wrong."""
    total_calls = models.BigIntegerField(_("total calls"), null=True)
    total_errors = models.BigIntegerField(_("total errors"), null=True)
    consecutive_errors = models.BigIntegerField(_("consecutive errors"), null=True)
    last_error = models.TextField(_("last error"), blank=True)
    action = models.CharField(_("action"), max_length=20, choices=Action, blank=True)
    who = models.CharField(_("who"), max_length=255, blank=True)
    since = models.DateTimeField(_("since"))
    looked_at = models.DateTimeField(_("looked at"))
    next_look_at = models.DateTimeField(_("next look at"), null=True)
    """No other dispatcher looks before this time."""

    objects = models.Manager.from_queryset(WatchQuerySet)()

    class Meta:
        verbose_name = _("watch")
        verbose_name_plural = _("watches")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("manage_webhooks", _("Can manage webhooks at SuperOffice"))]
        indexes: ClassVar = [
            models.Index(fields=["endpoint", "id"], name="superoffice_watch_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.get_state_display()}"

    @property
    def is_down(self) -> bool:
        """Return whether nothing is delivered."""
        is_inactive = self.state not in self._MAY_DELIVER
        return is_inactive or self.ping == self.Ping.LOST or self.is_elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Return whether the webhook delivers to another address than the wanted one."""
        return any(
            key == "url" and not is_same_place(wanted, actual)
            for key, wanted, actual in self.differences
        )

    @classmethod
    def note(cls, endpoint: str, **values: Any) -> "tuple[Watch, Watch | None]":
        """Store what was seen or done; return its row, and the row before with a known state.

        If a look saw the same as the look before, it updates that row.
        """
        rows = cls.objects.of(endpoint)
        if values.get("webhook") is not None:
            # The webhook is there. So no save goes on, even if a process died during one.
            rows.filter(state=cls.State.SAVING).order_by().delete()
        newest = rows.exclude(state=cls.State.SAVING).first()
        seen = {
            "differences": [],
            "actual": {},
            "ping": "",
            "reason": "",
            "webhook": None,
            **values,
        }
        same = newest is not None and all(getattr(newest, key) == seen[key] for key in _SAME)
        if newest is not None and same and not values.get("action"):
            moved = {key: value for key, value in seen.items() if key not in ("action", "who")}
            rows.filter(pk=newest.pk).update(looked_at=InSeconds(), **moved)
            newest.refresh_from_db(using=rows.db)
            return newest, newest
        before = rows.seen().first()
        made = cls.objects.using(rows.db).create(
            endpoint=endpoint, since=InSeconds(), looked_at=InSeconds(), **seen
        )
        if oldest := rows.values_list("pk", flat=True)[MAX_ROWS : MAX_ROWS + 1].first():
            cls.objects.using(rows.db).filter(endpoint=endpoint, pk__lte=oldest).delete()
        made.refresh_from_db(using=rows.db)
        return made, before

    @classmethod
    def begin_saving(cls, endpoint: str, tenant: str, who: str) -> Self:
        """Note that a new webhook is going to be saved."""
        using = router.db_for_write(cls)
        return cls.objects.using(using).create(  # type: ignore[return-value]
            endpoint=endpoint,
            tenant=tenant,
            state=cls.State.SAVING,
            action=cls.Action.CREATED,
            who=who,
            since=InSeconds(),
            looked_at=InSeconds(),
        )

    def earlier_save_may_go_on(self) -> bool:
        """Return whether a save that began before this one may still go on."""
        fresh = type(self).objects.of(self.endpoint).filter(state=self.State.SAVING)
        return fresh.filter(pk__lt=self.pk, since__gt=InSeconds(-SAVE_SECONDS)).exists()

    def end_saving(self) -> None:
        """Note that this save, and each that began before it, has ended."""
        saves = type(self).objects.of(self.endpoint).filter(state=self.State.SAVING)
        saves.filter(pk__lte=self.pk).delete()

    @classmethod
    def claim_look(cls, endpoint: str, seconds: float) -> bool:
        """Return whether this process is to look; if so, no other looks for so many seconds."""
        rows = cls.objects.of(endpoint)
        newest = rows.first()
        if newest is None:
            return True
        free = Q(next_look_at=None, looked_at__lte=InSeconds(-seconds))
        due = rows.filter(pk=newest.pk).filter(free | Q(next_look_at__lte=InSeconds()))
        return bool(due.order_by().update(next_look_at=InSeconds(seconds)))

    @classmethod
    def reactivation_failed(cls, endpoint: str) -> bool:
        """Return whether it was activated by itself in the last 24 hours, and not active since."""
        last = cls.objects.reactivated(endpoint).first()
        if last is None:
            return False
        later = cls.objects.of(endpoint).filter(pk__gt=last.pk, state=cls.State.ACTIVE)
        return not later.exclude(ping=cls.Ping.LOST).exists()
