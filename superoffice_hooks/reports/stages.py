"""Stages: where an event or a gathering is in its queue, by the columns of the queue."""

from datetime import datetime
from enum import StrEnum

from django.utils import timezone

from ..models.queued import Queued

OVERDUE_SECONDS = 300.0
"""What has been due for longer is a problem: an event, a gathering, a spooled delivery."""


class Stage(StrEnum):
    """Where an event or a gathering is in its queue."""

    QUEUED = "queued"
    """It waits for a dispatcher."""
    RUNNING = "running"
    """A process has begun an attempt, and its claim lasts."""
    RETRY = "retry"
    """It was tried, and is to be tried again later."""
    OVERDUE = "overdue"
    """It has been due for more than OVERDUE_SECONDS, and nobody dispatches it."""


def stage(row: Queued, now: datetime | None = None) -> Stage | None:
    """Return the stage of an event or a gathering; None if it is not in the queue."""
    due_at = row.next_attempt_at
    if due_at is None:
        return None
    due_for = ((now or timezone.now()) - due_at).total_seconds()
    if due_for > OVERDUE_SECONDS:
        return Stage.OVERDUE
    # A claim that has ended does not count.
    if due_for < 0 and row.is_running:
        return Stage.RUNNING
    if due_for < 0 and row.claim is None and row.attempts:
        return Stage.RETRY
    return Stage.QUEUED
