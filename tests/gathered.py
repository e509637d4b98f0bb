"""Events that have joined a gathering, as rows."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from superoffice_hooks.models import Event, Gathering, ReceiverRun


def gathering(
    receiver: str, *events: Event, due_in: float = 30, status: str = "waiting", **columns: Any
) -> Gathering:
    """What these events have joined, and wait for; without ``entity``, a batch."""
    now = timezone.now()
    place = {"tenant": "", "entity": "", "primary_key": 0}
    row = Gathering.objects.create(
        receiver=receiver,
        **{
            **place,
            "events": len(events),
            "first_event_at": now,
            "last_event_at": now,
            "quiet_at": now + timedelta(seconds=30),
            "call_by": now + timedelta(seconds=300),
            "next_attempt_at": now + timedelta(seconds=due_in),
            **columns,
        },
    )
    for event in events:
        joined = ReceiverRun(event=event, receiver=receiver, attempt=0, outcome="joined")
        joined.started_at, joined.gathering, joined.succeeded_in = now, row, 0
        joined.save()
    keys = [event.pk for event in events]
    Event.objects.filter(pk__in=keys).update(status=status, finished_at=None, next_attempt_at=None)
    return row


def of_record(event: Event) -> dict[str, Any]:
    """The columns of a gathering of the events of one record."""
    return {"tenant": event.tenant, "entity": event.entity, "primary_key": event.primary_key}


def call(row: Gathering, newest: Event) -> None:
    """Note that the call of a gathering came and succeeded."""
    runs = row.runs.all()
    keys = list(runs.values_list("event_id", flat=True))
    runs.update(outcome="succeeded", succeeded_in=0, with_event=newest.pk, gathering=None)
    Event.objects.filter(pk__in=keys).update(status="succeeded", finished_at=timezone.now())
    row.delete()
