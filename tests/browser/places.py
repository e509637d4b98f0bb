"""The pages of the admin. Who adds one to the app adds it here, and it is tested with the rest."""

from collections.abc import Callable

from superoffice_hooks.models import Event, Rejection, Replay

from ..admin.conftest import EVENTS, REJECTIONS, REPLAY, REPLAYS


def event() -> Event:
    """The newest that failed: it has the most to show."""
    return Event.objects.filter(status=Event.Status.FAILED).latest("pk")


def rejection(verified: bool) -> Rejection:
    return Rejection.objects.filter(verified=verified).latest("pk")


PLACES: dict[str, Callable[[], str]] = {
    "events": lambda: EVENTS,
    "events filtered": lambda: f"{EVENTS}?changed=priority&entity=ticket",
    "no events found": lambda: f"{EVENTS}?tenant=Cust404",
    "event": lambda: f"{EVENTS}{event().pk}/change/",
    "replay": lambda: f"{REPLAY}?ids={event().pk}",
    "replays": lambda: REPLAYS,
    "replay done": lambda: f"{REPLAYS}{Replay.objects.latest('pk').pk}/change/",
    "rejections": lambda: REJECTIONS,
    "rejection refused": lambda: f"{REJECTIONS}{rejection(verified=False).pk}/change/",
    "rejection unreadable": lambda: f"{REJECTIONS}{rejection(verified=True).pk}/change/",
}
