"""The columns of a row that is in a queue: of an event, or of a gathering. See ``queue``."""

import math
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class Queued(models.Model):
    """A row that waits for a process to claim it and to call receivers."""

    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    """When it may be claimed, by the database's clock; null once it has left the queue."""
    claim = models.BigIntegerField(_("claim"), null=True, editable=False)
    """The random token of the process that has claimed it."""
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    """How many attempts were begun. An attempt begins with the first call of a receiver."""
    deaths = models.PositiveIntegerField(_("deaths"), default=0)
    """During how many attempts the process died while it called nothing else."""
    alone = models.BooleanField(_("alone"), default=False, editable=False)
    """Whether the current or next attempt is made alone, because a process died during one."""
    begun_at = models.DateTimeField(_("begun at"), null=True)
    begun_by = models.CharField(_("begun by"), max_length=100, blank=True)
    """The host and process that began the last attempt."""
    calling = models.CharField(_("calling"), max_length=255, blank=True)
    """The dotted path of the first receiver of the attempt."""

    due_at: Any = None
    """When it was due before this process claimed it; not stored."""
    claimed_at = -math.inf
    """When this process claimed it or renewed the claim, by the monotonic clock; not stored. Long
    ago if that is not known."""

    class Meta:
        abstract = True

    @property
    def is_running(self) -> bool:
        """Return whether a process has begun an attempt and not ended it.

        The process may be dead. Then the row is due again when ``next_attempt_at`` has passed.
        """
        return self.claim is not None and self.begun_at is not None
