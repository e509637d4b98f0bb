"""What the database says in the end, as JSON: ``python -m tests.hard.report``."""

import json
from collections import Counter

import django

django.setup()

from superoffice_hooks.models import Event, ReceiverRun, Replay  # noqa: E402

from .arrivals.models import Arrival  # noqa: E402


def counts(values) -> dict[str, int]:
    return Counter(map(str, values))


print(  # noqa: T201
    json.dumps(
        {
            "events": list(
                map(str, Event.objects.order_by("pk").values_list("event_id", flat=True))
            ),
            "statuses": counts(Event.objects.values_list("status", flat=True)),
            "arrivals": counts(Arrival.objects.values_list("event_id", flat=True)),
            "replays": list(Replay.objects.values("planned", "position", "done", "failed", "busy")),
            "successes": counts(
                ReceiverRun.objects.filter(outcome="succeeded").values_list(
                    "event__event_id", flat=True
                )
            ),
        }
    )
)
