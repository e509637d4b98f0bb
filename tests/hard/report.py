"""What the database says in the end, as JSON: ``python -m tests.hard.report``."""

import json
from collections import Counter
from typing import Any

import django
from django.db.models import Count, Min

django.setup()

from superoffice_hooks.models import (  # noqa: E402
    Event,
    Gathering,
    ReceiverRun,
    Rejection,
    Replay,
)

from .arrivals.models import Arrival  # noqa: E402
from .arrivals.receivers import ASKED  # noqa: E402


def report() -> dict[str, Any]:
    events = list(Event.objects.order_by("pk").values_list("event_id", "name", "status"))
    runs = ReceiverRun.objects.order_by("pk")
    arrivals = Arrival.objects.order_by("pk")
    bodies = Rejection.objects.filter(verified=True).values_list("body", flat=True)
    return {
        "events": [str(event_id) for event_id, _, _ in events],
        "status_of": {str(event_id): status for event_id, _, status in events},
        "asked_by": {str(event_id): sorted(ASKED.get(name, ())) for event_id, name, _ in events},
        "statuses": Counter(status for _, _, status in events),
        "arrivals": [
            [str(event_id), *rest]
            for event_id, *rest in arrivals.values_list("event_id", "receiver", "replay_id", "key")
        ],
        "runs": [
            [str(event_id), receiver.rpartition(".")[2], *rest]
            for event_id, receiver, *rest in runs.values_list(
                "event__event_id", "receiver", "replay_id", "outcome"
            )
        ],
        "failures": [
            [str(event_id), receiver.rpartition(".")[2], error]
            # An event that went back to the queue was not called by itself yet.
            for event_id, receiver, error in runs.exclude(
                outcome__in=["succeeded", "postponed", "joined"]
            ).values_list("event__event_id", "receiver", "error")
        ],
        "calls": [
            [receiver.rpartition(".")[2], events, records, (began - first).total_seconds()]
            for receiver, _, events, records, began, first in runs.filter(outcome="succeeded")
            .exclude(with_event=None)
            .order_by()
            .values_list("receiver", "with_event")
            .annotate(
                events=Count("pk"),
                records=Count("event__primary_key", distinct=True),
                began=Min("started_at"),
                first=Min("event__received_at"),
            )
        ],
        "left": Gathering.objects.count() + runs.exclude(gathering=None).count(),
        "kept": [bytes(body).decode(errors="replace") for body in bodies],
        "replays": list(
            Replay.objects.order_by("pk").values(
                "id", "planned", "position", "done", "failed", "busy"
            )
        ),
        "receivers_of": {
            replay.pk: [path.rpartition(".")[2] for path in replay.receivers or ()]
            for replay in Replay.objects.all()
        },
    }


if __name__ == "__main__":
    print(json.dumps(report()))  # noqa: T201
