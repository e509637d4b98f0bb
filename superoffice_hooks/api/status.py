"""``status/``: the status for monitors. Each figure is bounded: see ``reports``."""

from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Event
from ..reports import gatherings, recent, standing
from ..reports.situation import situation
from ..reports.verdict import Verdict
from ..reports.windows import Window
from .base import View
from .serializers.figures import StatusSerializer


class Status(View):
    """The status: what waits, who dispatches, what failed, and the last delivery of each endpoint.

    Up to 10 000 events of each status are counted; then `at_least` is true.
    """

    queryset = Event.objects.all()
    serializer_class = StatusSerializer

    @extend_schema(responses=StatusSerializer)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        now = timezone.now()
        # All texts of the API are in English.
        with translation.override("en"):
            state = situation(Window.latest())
            verdict = _verdict(state.verdict)
        dispatching = state.dispatching
        figures = {
            "at": now,
            "verdict": verdict,
            "statuses": list(map(_standing, standing.standings())),
            "oldest_pending": _oldest(dispatching.pending.oldest, now),
            "lately": _lately(),
            "endpoints": standing.endpoints(),
            "dispatching": _dispatching(dispatching),
            "spool": dispatching.spool,
            "problems": standing.dispatching_problems(now=dispatching),
        }
        return Response(self.get_serializer(figures).data)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "level": verdict.level.name.lower(),
        "sentence": verdict.sentence,
        "findings": [finding.topic for finding in verdict.findings],
    }


def _standing(status: standing.Standing) -> dict[str, Any]:
    return {**status._asdict(), "at_least": status.events >= standing.MAX_COUNTED}


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


def _dispatching(dispatching: standing.Dispatching) -> dict[str, Any]:
    waiting = dispatching.waiting
    return {
        **dispatching._asdict(),
        "at_least": dispatching.due >= standing.MAX_PENDING,
        "waiting": {
            **waiting._asdict(),
            "at_least": waiting.gatherings >= gatherings.MAX_GATHERINGS,
        },
    }


def _lately() -> dict[str, Any]:
    """Count the events of this hour and the last by status."""
    window = Window.latest(2)
    totals = recent.totals(recent.events_by_hour(window))
    return {
        "since": window.since,
        "events": {status: totals[status] for status in Event.Status.values},
    }
