"""Pending events by the thousand: ``python -m tests.hard.fill COUNT``."""

import sys
import uuid

import django

django.setup()

from django.utils import timezone  # noqa: E402

from superoffice_hooks.models import Event  # noqa: E402

now = timezone.now()
Event.objects.bulk_create(
    [
        Event(
            endpoint="default",
            event_id=uuid.uuid4(),
            name="ticket.changed",
            entity="ticket",
            action="changed",
            primary_key=number,
            received_at=now,
            next_attempt_at=now,
            payload={},
            body=b"{}",
        )
        for number in range(int(sys.argv[1]))
    ],
    batch_size=500,
)
