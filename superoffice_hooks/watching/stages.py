"""Stages: where an unfinished event is on its way, told from its place in the queue."""

from datetime import datetime
from enum import StrEnum

from django.utils import timezone

from ..models import Event
from .now import OVERDUE_SECONDS


class Stage(StrEnum):
    """Where an unfinished event is."""

    WAITING = "waiting"
    """It waits for a dispatcher."""
    RUNNING = "running"
    """A process has begun an attempt, and its claim lasts."""
    RETRY = "retry"
    """It was tried, and is to be tried again later."""
    OVERDUE = "overdue"
    """It has been due for more than OVERDUE_SECONDS, and nobody dispatches it."""


def stage(event: Event, now: datetime | None = None) -> Stage | None:
    """Return the stage of an event; None if it is finished."""
    due_at = event.next_attempt_at
    if due_at is None:
        return None
    due_for = ((now or timezone.now()) - due_at).total_seconds()
    if due_for > OVERDUE_SECONDS:
        return Stage.OVERDUE
    # A claim that has ended says nothing any more.
    if due_for < 0 and event.is_running:
        return Stage.RUNNING
    if due_for < 0 and event.claim is None and event.attempts:
        return Stage.RETRY
    return Stage.WAITING
