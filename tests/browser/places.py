"""The pages of the admin. Who adds one to the app adds it here, and it is tested with the rest."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from superoffice_hooks.models import Event, Rejection, Replay
from superoffice_hooks.replaying import Criteria, plan

from ..admin.conftest import EVENTS, REJECTIONS, REPLAY, REPLAYS


def event() -> Event:
    """The newest that failed: it has the most to show."""
    return Event.objects.filter(status=Event.Status.FAILED).latest("pk")


def record(event: Event) -> dict[str, Any]:
    return {
        "tenant": event.tenant,
        "entity": event.entity,
        # What has no number has no record; no event has this one.
        "primary_key": event.primary_key or 0,
    }


def waiting() -> Replay:
    """A replay that another process has claimed, so that looking at it does not end it."""
    return plan(Criteria(entity="ticket"), who="anna", why="The queues are back.")


def rejection(verified: bool) -> Rejection:
    return Rejection.objects.filter(verified=verified).latest("pk")


PLACES: dict[str, Callable[[], str]] = {
    "events": lambda: EVENTS,
    "events filtered": lambda: f"{EVENTS}?changed=priority&entity=ticket",
    "no events found": lambda: f"{EVENTS}?tenant=Cust404",
    "event": lambda: f"{EVENTS}{event().pk}/change/",
    "overview": lambda: f"{EVENTS}overview/",
    "record": lambda: f"{EVENTS}record/?{urlencode(record(event()))}",
    "mark as handled": lambda: f"{EVENTS}{event().pk}/handle/",
    "replay": lambda: f"{REPLAY}?ids={event().pk}",
    "replays": lambda: REPLAYS,
    "replay under way": lambda: f"{REPLAYS}{waiting().pk}/progress/",
    "replay done": lambda: f"{REPLAYS}{Replay.objects.latest('pk').pk}/change/",
    "rejections": lambda: REJECTIONS,
    "rejection refused": lambda: f"{REJECTIONS}{rejection(verified=False).pk}/change/",
    "rejection unreadable": lambda: f"{REJECTIONS}{rejection(verified=True).pk}/change/",
}
