"""The receivers that are timed; BENCH_RECEIVER says which ones are connected."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import F

from superoffice_hooks.models import Event
from superoffice_hooks.signals import ticket_changed

from . import meter
from .models import Seen, Written

RECORDS = 1000


def update_one_row(event: Event, **kwargs: Any) -> None:
    Seen.objects.filter(pk=(event.primary_key or 0) % RECORDS + 1).update(times=F("times") + 1)


def sleep(**kwargs: Any) -> None:
    time.sleep(0.2)


def sleep_long(**kwargs: Any) -> None:
    time.sleep(0.5)


def do_nothing(**kwargs: Any) -> None:
    pass


def write_one_row(event: Event, **kwargs: Any) -> None:
    meter.called()
    Written.objects.create(event=event.pk)


def write_a_second(event: Event, **kwargs: Any) -> None:
    Written.objects.create(event=event.pk)


def write_a_third(event: Event, **kwargs: Any) -> None:
    Written.objects.create(event=event.pk)


def write_settled(events: Sequence[Event], **kwargs: Any) -> None:
    meter.called(len(events))
    Written.objects.bulk_create([Written(event=event.pk) for event in events])


def write_batch(events: Sequence[Event], **kwargs: Any) -> None:
    meter.called(len(events))
    Written.objects.bulk_create([Written(event=event.pk) for event in events])


RECEIVERS: dict[str, list[Callable[..., None]]] = {
    "update": [update_one_row],
    "sleep": [sleep],
    "sleep outside": [sleep],
    "sleep long": [sleep_long],
    "nothing": [do_nothing],
    "write": [write_one_row],
    "write settled": [write_settled],
    "write batch": [write_batch],
    "write three": [write_one_row, write_a_second, write_a_third],
}

OPTIONS: dict[str, dict[str, Any]] = {
    "sleep outside": {"atomic": False},
    "write settled": {"settle": 3},
    "write batch": {"batch": 100},
}

_name = os.environ.get("BENCH_RECEIVER", "update")
for _receiver in RECEIVERS[_name]:
    ticket_changed.connect(_receiver, **OPTIONS.get(_name, {}))
