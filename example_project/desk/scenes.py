"""A delivery with its outcome and the expected one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db.models import Max, Model

from superoffice_hooks.models import Event, Redelivery, Rejection
from superoffice_hooks.testing import Attempt

PATIENCE = 15
"""Seconds to wait for the receivers of an event; they run after the answer."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a delivery."""

    answer: int | None = None
    stored_as: str
    receivers: tuple[str, ...] = ()
    """Every call of a receiver, and how it ended."""
    changed_fields: int = 0


@dataclass(frozen=True)
class Scene:
    """A delivery with its outcome and the expected one."""

    title: str
    actual: Outcome
    expected: Outcome

    @property
    def is_right(self) -> bool:
        return self.actual == self.expected


def watched(title: str, send: Callable[[], Attempt], expected: Outcome) -> Scene:
    """Send, wait for the receivers, and look what the database has more than before."""
    before = {model: newest(model) for model in (Event, Redelivery, Rejection)}
    attempt = send()
    event = concluded(attempt.event_id, attempt.event)
    if event is None:
        rejection = Rejection.objects.filter(pk__gt=before[Rejection]).first()
        stored_as = f"rejection ({rejection.reason})" if rejection else "nothing"
        return Scene(title, Outcome(answer=attempt.status, stored_as=stored_as), expected)
    actual = replace(outcome_of(event), answer=attempt.status)
    if event.pk <= before[Event]:
        repeated = event.redeliveries.filter(pk__gt=before[Redelivery]).exists()
        actual = replace(actual, stored_as="redelivery" if repeated else "nothing")
    return Scene(title, actual, expected)


def concluded(event_id: str, name: str) -> Event | None:
    """The event, once its receivers have run or patience has run out; None if there is none."""
    deadline = time.monotonic() + PATIENCE
    while True:
        event = Event.objects.filter(event_id=event_id, name=name).first()
        if event is None or event.finished_at or time.monotonic() > deadline:
            return event
        time.sleep(0.05)


def outcome_of(event: Event) -> Outcome:
    runs = event.runs.values_list("receiver", "outcome")
    return Outcome(
        stored_as=f"event ({event.status})",
        receivers=tuple(f"{path.rpartition('.')[2]} {outcome}" for path, outcome in runs),
        changed_fields=len(event.changes),
    )


def newest(model: type[Model]) -> int:
    """The highest primary key so far."""
    return int(model._default_manager.aggregate(newest=Max("pk", default=0))["newest"])
