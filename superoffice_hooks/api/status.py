"""``status/``: how things stand, for monitors. Each figure is bounded: see ``watching``."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from .. import watching
from ..models import Event
from .base import View
from .serializers import StatusSerializer


class Status(View):
    """How things stand: what waits, who dispatches, what failed, and what each endpoint heard last.

    Of a status that more than 10 000 events have, `at_least` is true: so many were counted.
    """

    queryset = Event.objects.all()
    serializer_class = StatusSerializer

    @extend_schema(responses=StatusSerializer)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        now = timezone.now()
        dispatching = watching.dispatching()
        told = {
            "at": now,
            "statuses": list(map(_standing, watching.standings())),
            "oldest_pending": _oldest(watching.pending().oldest, now),
            "lately": _lately(),
            "endpoints": watching.endpoints(),
            "dispatching": _dispatching(dispatching),
            "spool": dispatching.spool,
            "problems": watching.dispatching_problems(now=dispatching),
        }
        return Response(self.get_serializer(told).data)


def _standing(standing: watching.Standing) -> dict[str, Any]:
    return {**standing._asdict(), "at_least": standing.events >= watching.MOST_STANDING}


def _oldest(event: Event | None, now: datetime) -> dict[str, Any] | None:
    if event is None:
        return None
    return {
        "id": event.pk,
        "event": event.name,
        "received_at": event.received_at,
        "age": max((now - event.received_at).total_seconds(), 0),
        "next_attempt_at": event.next_attempt_at,
    }


def _dispatching(dispatching: watching.Dispatching) -> dict[str, Any]:
    return {**dispatching._asdict(), "at_least": dispatching.due >= watching.MOST_PENDING}


def _lately() -> dict[str, Any]:
    """What came in during this hour and the last, and what has become of it."""
    _, until = watching.Window.latest()
    window = watching.Window(until - timedelta(hours=2), until)
    totals = watching.totals(watching.events_by_hour(window))
    return {
        "since": window.since,
        "events": {status: totals[status] for status in Event.Status.values},
    }
