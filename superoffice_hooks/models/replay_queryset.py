"""Queries for replays."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from .clock import NOW

if TYPE_CHECKING:
    from .replay import Replay  # noqa: F401  (named in a string)


class ReplayQuerySet(models.QuerySet["Replay"]):
    """Replays, by their state."""

    def waiting(self) -> Self:
        """Return those that are unfinished and that any process may claim now."""
        free = Q(claimed_until=None) | Q(claimed_until__lte=NOW)
        return self.filter(free, finished_at=None)

    def unfinished(self) -> Self:
        """Return those that wait, and those that a process works on."""
        return self.filter(finished_at=None).exclude(_is_stalled())

    def stalled(self) -> Self:
        """Return those whose process has died."""
        return self.filter(_is_stalled(), finished_at=None)

    def finished(self) -> Self:
        """Return those that have ended and were not cancelled."""
        return self.filter(finished_at__isnull=False, cancelled_by="")

    def cancelled(self) -> Self:
        """Return those that were cancelled."""
        return self.filter(finished_at__isnull=False).exclude(cancelled_by="")


def _is_stalled() -> Q:
    return Q(claim__isnull=False, claimed_until__lte=NOW)
