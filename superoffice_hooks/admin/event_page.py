"""The page of one event: what happened, what failed, what was sent, and what can be done."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event, ReceiverRun, Redelivery
from ..receivers import Receiver, judged
from . import changes, display, event_runs, stages, timeline
from .event_runs import MAX_ERRORS
from .gatherings import together
from .readonly import ReadOnlyAdmin
from .summary import summary

MAX_SHOWN = 100_000
"""Characters of the payload, and bytes of the body, that are on the page."""
NEWEST = 200
"""The number of runs and of redeliveries on the page; an event seldom has ten."""

_RECORD = (
    "event_name",
    "all_of_record",
    "newer_event",
    "tenant_sent",
    "associate",
    "occurred",
    "webhook_sent",
    ("entity_sent", "action_sent", "primary_key"),
)
_DISPATCH = (
    "status_word",
    "attempts",
    "deaths",
    "next_attempt",
    "begun",
    "begun_by_process",
    "calling_receiver",
    "finished",
)
_DELIVERY = (
    "received",
    "endpoint_sent",
    "event_id",
    "remote_addr",
    "problems_shown",
    "headers_sent",
)
FIELDSETS: Any = (
    (None, {"fields": _RECORD}),
    (_("Dispatch"), {"fields": _DISPATCH}),
    (_("Delivery"), {"fields": _DELIVERY}),
    (_("Payload"), {"fields": ("payload_sent",), "classes": ("superoffice-wide",)}),
    (_("Body"), {"fields": ("body_sent",), "classes": ("collapse", "superoffice-wide")}),
)


class Button(NamedTuple):
    """A link to a page that does something."""

    words: str
    url: str


def context(admin: ReadOnlyAdmin[Event], request: HttpRequest, event: Event) -> dict[str, Any]:
    """Return what the template needs besides the columns."""
    runs = list(event.runs.select_related("replay", "gathering").order_by("-pk")[:NEWEST])
    replays = {run.replay_id: run.replay for run in runs if run.replay}
    again = event.redeliveries.order_by("pk")[:NEWEST]
    changed = event.diff()
    errors = event_runs.errors(admin, event, runs)
    fields = changes.fields(event, changed)
    receivers = judged(event)
    may_act = admin.has_replay_permission(request)
    return {
        "title": changes.headline(event, changed),
        "subtitle": f"{display.line(event.name)} {event.event_id}".strip(),
        "status": stages.status(event),
        "summary": display.visible(summary(event, runs)),
        "timeline_url": timeline.url(admin, event) if event.primary_key is not None else "",
        "buttons": _buttons(admin, request, event, runs, receivers) if may_act else (),
        "copy_url": admin.url("event_copy", event.pk),
        "undo_url": _undo_url(admin, request, event) if may_act else "",
        "receiver_errors": errors[:MAX_ERRORS],
        "more_errors": len(errors[MAX_ERRORS:]),
        "fields": fields[: changes.MAX_SHOWN],
        "more_fields": fields[changes.MAX_SHOWN :],
        "runs": event_runs.table(admin, runs, errors[:MAX_ERRORS]),
        "receivers": [_ConnectedReceiver.of(receiver) for receiver in receivers],
        "deliveries": list(_deliveries(event, again)),
        "handlings": event.handlings.order_by("-pk")[:NEWEST],
        "replays": replays.values(),
        "newest": NEWEST,
    }


def _buttons(
    admin: ReadOnlyAdmin[Event],
    request: HttpRequest,
    event: Event,
    runs: Sequence[ReceiverRun],
    receivers: Sequence[Receiver],
) -> Iterator[Button]:
    """Yield the buttons that have an effect on this event."""
    called = any(receiver.is_called for receiver in receivers)
    replay = admin.with_filters(request, f"{admin.url('event_replay')}?ids={event.pk}")
    # An event that is not finished is left to its ordinary dispatch.
    if event.is_finished and called:
        if event_runs.still_failed(runs):
            yield Button(gettext("Replay what failed"), f"{replay}&only_failed=on")
        yield Button(gettext("Replay"), replay)
    if event.status == Event.Status.FAILED:
        yield Button(gettext("Mark as handled"), admin.url("event_handle", event.pk))


def _undo_url(admin: ReadOnlyAdmin[Event], request: HttpRequest, event: Event) -> str:
    """Return the URL that a POST undoes "handled" by; empty if the event is not handled."""
    if event.status != Event.Status.HANDLED:
        return ""
    return admin.with_filters(request, admin.url("event_undo_handled", event.pk))


class _ConnectedReceiver(NamedTuple):
    """A receiver that is connected now, and whether it would be called."""

    path: SafeString
    pattern: SafeString
    is_called: bool
    reason: str
    deciding_fields: SafeString
    together: str
    """How it is called for several events; empty if it is called for each."""

    @classmethod
    def of(cls, receiver: Receiver) -> "_ConnectedReceiver":
        return cls(
            display.bounded(receiver.path),
            display.breakable(display.line(receiver.pattern)),
            receiver.is_called,
            str(receiver.reason.label) if receiver.reason else "",
            display.chips([*receiver.deciding_fields]),
            together(receiver.options),
        )


def pruned(event: Event) -> str:
    """Return when the body and headers were pruned, in words; empty if they were not."""
    if not event.pruned_at:
        return ""
    return gettext("pruned on %(when)s") % {"when": display.at(event.pruned_at)}


def start_of(sent: str | bytes | memoryview, url: str) -> SafeString:
    """Return a payload or a body; of a long one the start, with a link to all of it."""
    shown = display.text(sent[:MAX_SHOWN])
    if len(sent) <= MAX_SHOWN:
        return shown
    cut = gettext("This is the start of it.")
    return format_html('{}<p>{} <a href="{}">{}</a></p>', shown, cut, url, gettext("Download all"))


class Delivery(NamedTuple):
    """One delivery of an event."""

    received_at: datetime
    webhook_name: SafeString
    is_first: bool = False
    retry: int | None = None
    body: SafeString | None = None
    """The body, if it differs from the first and is not pruned."""
    is_pruned: bool = False


def _deliveries(event: Event, redeliveries: Iterable[Redelivery]) -> Iterator[Delivery]:
    """Yield the delivery that made the event, and those that repeated it, oldest first."""
    yield Delivery(event.received_at, display.bounded(event.webhook_name), is_first=True)
    for again in redeliveries:
        yield Delivery(
            again.received_at,
            display.bounded(again.webhook_name),
            retry=again.retry,
            body=display.head(again.body) if again.body else None,
            is_pruned=again.body is not None and not again.body,
        )
