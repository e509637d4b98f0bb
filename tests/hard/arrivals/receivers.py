"""The receiver, and some that misbehave."""

import os
import signal
import time
from typing import Any

from django.dispatch import receiver

from superoffice_hooks.models import Event
from superoffice_hooks.signals import on, ticket_changed

from .models import Arrival


@receiver(ticket_changed)
def arrive(event: Event, **kwargs: Any) -> None:
    Arrival.objects.create(event_id=event.event_id, primary_key=event.primary_key)


@receiver(on("hard.kills"))
def kill_the_process(**kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@receiver(on("hard.hangs"))
def outlive_the_lease(event: Event, **kwargs: Any) -> None:
    time.sleep(float(os.environ.get("HARD_HANG_SECONDS", "0")))
    Arrival.objects.create(event_id=event.event_id)
