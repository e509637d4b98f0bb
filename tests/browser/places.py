"""The pages of the admin. Who adds one to the app adds it here, and it is tested with the rest."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from superoffice_hooks.models import Event, FailureGroup, Rejection, Replay, Watch
from superoffice_hooks.replay.running import Criteria, plan

from ..admin.conftest import EVENTS, GROUPS, REJECTIONS, REPLAY, REPLAYS, WATCHES


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
    return plan(Criteria(entity="ticket"), who="anna", reason="The queues are back.")


def finished() -> Replay:
    """The newest that has come to its end; any, if none has."""
    newest = Replay.objects.order_by("-pk")
    return newest.exclude(finished_at=None).first() or newest[0]


def rejection(verified: bool) -> Rejection:
    return Rejection.objects.filter(verified=verified).latest("pk")


def stopped() -> str:
    """The page of a webhook that SuperOffice has ended, and of which much is known."""
    known = {"tenant": "Cust12345", "webhook": 17, "last_error": "HTTP/1.1 401 " + "x" * 300}
    Watch.note("default", state="Active", action="created", who="anna on crm1", **known)
    Watch.note(
        "default",
        state="TooManyErrors",
        differences=[["state", "Active", "TooManyErrors"], ["name", "Help desk", "Desk"]],
        actual={
            "name": "Desk",
            "url": "https://example.com/superoffice/webhook/" + "long" * 30,
            "events": [f"y_table{number}.changed" for number in range(30)],
            "headers": ["X-One"],
            "secret": "older",
        },
        total_calls=1000,
        total_errors=10,
        consecutive_errors=9,
        **known,
    )
    return f"{WATCHES}default/webhook/"


PLACES: dict[str, Callable[[], str]] = {
    "events": lambda: EVENTS,
    "events filtered": lambda: f"{EVENTS}?changed=priority&entity=ticket",
    "no events found": lambda: f"{EVENTS}?tenant=Cust404",
    "event": lambda: f"{EVENTS}{event().pk}/change/",
    "copy": lambda: f"{EVENTS}{event().pk}/copy/",
    "overview": lambda: f"{EVENTS}overview/",
    "receivers": lambda: f"{EVENTS}receivers/",
    "what came in": lambda: f"{EVENTS}traffic/",
    "record": lambda: f"{EVENTS}record/?{urlencode(record(event()))}",
    "mark as handled": lambda: f"{EVENTS}{event().pk}/handle/",
    "replay": lambda: f"{REPLAY}?ids={event().pk}",
    "failure groups": lambda: GROUPS,
    "failure group": lambda: f"{GROUPS}{FailureGroup.objects.latest('pk').pk}/change/",
    "mute": lambda: f"{GROUPS}{FailureGroup.objects.latest('pk').pk}/mute/",
    "replays": lambda: REPLAYS,
    "replay under way": lambda: f"{REPLAYS}{waiting().pk}/progress/",
    "replay done": lambda: f"{REPLAYS}{finished().pk}/change/",
    "webhook": stopped,
    "webhooks": lambda: stopped() and WATCHES,
    "webhook as it was": lambda: stopped() and f"{WATCHES}{Watch.objects.latest('pk').pk}/change/",
    "rejections": lambda: REJECTIONS,
    "rejection refused": lambda: f"{REJECTIONS}{rejection(verified=False).pk}/change/",
    "rejection unreadable": lambda: f"{REJECTIONS}{rejection(verified=True).pk}/change/",
}
