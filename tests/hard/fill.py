"""Pending events by the thousand: ``python -m tests.hard.fill COUNT [NAME]``."""

import sys
import uuid

import django

django.setup()

from django.utils import timezone  # noqa: E402

from superoffice_hooks.models import Event  # noqa: E402

count, name = [*sys.argv[1:], "ticket.changed"][:2]
entity, _, action = name.rpartition(".")
now = timezone.now()
Event.objects.bulk_create(
    [
        Event(
            endpoint="default",
            event_id=uuid.uuid4(),
            name=name,
            entity=entity,
            action=action,
            primary_key=number,
            received_at=now,
            next_attempt_at=now,
            payload={},
            body=b"{}",
        )
        for number in range(int(count))
    ],
    batch_size=500,
)
