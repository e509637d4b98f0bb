"""The parts of an event's page: its fields, its deliveries, its runs."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from ..dictionary import FieldDescription
from ..models import Event, ReceiverRun, Redelivery, Replay
from ..models.fields import Change
from . import showing


class Field(NamedTuple):
    """A changed field, as the page shows it."""

    name: str
    label: str
    description: str
    type: str
    is_noise: bool
    is_known: bool
    """Whether SuperOffice told what was in it before and after."""
    before: str
    after: str


def fields(event: Event) -> list[Field]:
    """The changed fields, what matters first, with what was in them as far as that is known."""
    changes = event.diff()
    significant = set(event.significant_changes)
    told = [
        _field(description, changes[description.name], description.name not in significant)
        for description in event.changed_fields
    ]
    return sorted(told, key=lambda field: field.is_noise)


def _field(description: FieldDescription, change: Change, is_noise: bool) -> Field:
    return Field(
        name=description.name,
        label=description.label,
        description=description.description,
        type=description.type,
        is_noise=is_noise,
        is_known=change.known,
        before=_value(description, change.before),
        after=_value(description, change.after),
    )


def _value(description: FieldDescription, value: Any) -> str:
    """A value for people, with what an enum's number means."""
    if isinstance(value, datetime):
        return showing.at(value)
    meaning = description.meaning(value)
    return meaning if meaning == str(value) or value is None else f"{value} ({meaning})"


class DeliveryOfEvent(NamedTuple):
    """One delivery of an event on its time line."""

    received_at: datetime
    retry: int | None
    webhook_name: str
    body: SafeString | None
    """What was different; None if it was the same, or is pruned."""
    is_pruned: bool
    is_first: bool


def deliveries(event: Event, redeliveries: Iterable[Redelivery]) -> list[DeliveryOfEvent]:
    """The delivery that made the event, and those that repeated it, oldest first."""
    first = DeliveryOfEvent(
        event.received_at, None, event.webhook_name, None, is_pruned=False, is_first=True
    )
    return [
        first,
        *(
            DeliveryOfEvent(
                again.received_at,
                again.retry,
                again.webhook_name,
                showing.head(again.body) if again.body else None,
                is_pruned=again.body is not None and not again.body,
                is_first=False,
            )
            for again in redeliveries
        ),
    ]


class Attempt(NamedTuple):
    """One attempt at an event, or one replay of it, with its runs."""

    number: int
    replay: Replay | None
    runs: list[ReceiverRun]


def attempts(runs: Iterable[ReceiverRun]) -> Iterator[Attempt]:
    """Runs, newest first, by the attempt they were part of."""
    for (number, _), of_attempt in groupby(runs, key=lambda run: (run.attempt, run.replay_id)):
        together = list(of_attempt)
        yield Attempt(number, together[0].replay, together)
