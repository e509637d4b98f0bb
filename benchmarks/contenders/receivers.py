"""The receivers that are timed; BENCH_RECEIVER says which one is connected."""

import os
import time
from collections.abc import Callable
from typing import Any

from django.db.models import F

from superoffice_hooks.models import Event
from superoffice_hooks.signals import ticket_changed

from .models import Seen

RECORDS = 1000


def update_one_row(event: Event, **kwargs: Any) -> None:
    Seen.objects.filter(pk=(event.primary_key or 0) % RECORDS + 1).update(times=F("times") + 1)


def sleep(**kwargs: Any) -> None:
    time.sleep(0.2)


def do_nothing(**kwargs: Any) -> None:
    pass


RECEIVERS: dict[str, Callable[..., None]] = {
    "update": update_one_row,
    "sleep": sleep,
    "sleep outside": sleep,
    "nothing": do_nothing,
}

_name = os.environ.get("BENCH_RECEIVER", "update")
ticket_changed.connect(RECEIVERS[_name], atomic=_name != "sleep outside")
