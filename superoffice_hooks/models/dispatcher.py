"""The dispatcher: a loop that dispatches, in a web process or alone, and when it was last seen."""

import os
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from .clock import NOW, InSeconds
from .queue import host

SEEN_EVERY_SECONDS = 60
"""How often a dispatcher notes that it is alive."""

GONE_AFTER_SECONDS = 3 * SEEN_EVERY_SECONDS
"""How long after it was last seen a dispatcher counts as dead."""

_FORGOTTEN_AFTER_SECONDS = 24 * 3600
_MAX = 200


class DispatcherQuerySet(models.QuerySet["Dispatcher"]):
    """Dispatchers, alive or not."""

    def living(self) -> Self:
        """Return those that were seen lately."""
        return self.filter(seen_at__gte=InSeconds(-GONE_AFTER_SECONDS))

    def newest(self) -> Self:
        """Return the last ones that were seen, with the time by the database's clock."""
        return self.annotate(now=InSeconds(0)).order_by("-seen_at", "pk")[:_MAX]


class Dispatcher(models.Model):
    """One dispatching loop. Its row is deleted when the loop ends, unless the process dies."""

    class Kind(models.TextChoices):
        """Where a loop runs."""

        WEB = "web", _("web process")
        COMMAND = "command", _("superoffice_dispatch")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    host = models.CharField(_("host"), max_length=60)
    pid = models.PositiveIntegerField(_("process id"))
    lanes = models.PositiveSmallIntegerField(_("lanes"))
    hung = models.PositiveSmallIntegerField(_("hung lanes"), default=0)
    """How many lanes have been in one call for longer than CALL_SECONDS."""
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(_("seen at"))

    now: datetime
    """The time by the database's clock, in rows that ``newest`` has read."""

    objects = models.Manager.from_queryset(DispatcherQuerySet)()

    class Meta:
        verbose_name = _("dispatcher")
        verbose_name_plural = _("dispatchers")
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.host} pid {self.pid}"

    @property
    def is_living(self) -> bool:
        """Return whether it was seen lately, in a row that ``newest`` has read."""
        return self.seen_at >= self.now - timedelta(seconds=GONE_AFTER_SECONDS)

    @classmethod
    def of_this_process(cls, kind: str, lanes: int) -> Self:
        """Return a row for a loop of this process, not stored yet."""
        return cls(kind=kind, host=host(), pid=os.getpid(), lanes=lanes)

    def note_seen(self) -> None:
        """Note that the loop is alive; the first time, delete rows that are a day old."""
        rows = type(self).objects.using(router.db_for_write(type(self)))
        seen: dict[str, datetime | InSeconds | int] = {"seen_at": NOW, "hung": self.hung}
        if self.pk and rows.filter(pk=self.pk).update(**seen):
            return
        rows.filter(seen_at__lt=InSeconds(-_FORGOTTEN_AFTER_SECONDS)).delete()
        self.pk = rows.create(
            kind=self.kind,
            host=self.host,
            pid=self.pid,
            lanes=self.lanes,
            hung=self.hung,
            started_at=NOW,
            seen_at=NOW,
        ).pk

    def note_end(self) -> None:
        """Delete the row, because the loop ends."""
        if self.pk:
            type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk).delete()
