"""The page of one event: what happened, what was sent, who was called and what came of it."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event
from ..signals import verdicts_on
from . import event_parts, showing, stages
from .listeners import listener
from .summary import record, summary

if TYPE_CHECKING:
    _EventAdmin = admin.ModelAdmin[Event]
else:
    _EventAdmin = object

NEWEST = 200
"""So many runs and redeliveries are shown on the page of an event; hardly any event has ten."""


class EventPage(_EventAdmin):
    """Gives the event admin its page."""

    fieldsets = (
        (
            None,
            {
                "fields": (
                    "event_name",
                    "all_of_record",
                    "newer_event",
                    "tenant",
                    "associate",
                    "occurred",
                    "webhook_name",
                    ("entity", "action", "primary_key"),
                )
            },
        ),
        (
            _("Dispatch"),
            {
                "fields": (
                    "status_word",
                    "attempts",
                    "deaths",
                    "next_attempt",
                    "begun",
                    "begun_by",
                    "calling",
                    "finished",
                )
            },
        ),
        (
            _("Delivery"),
            {
                "fields": (
                    "received",
                    "endpoint",
                    "event_id",
                    "remote_addr",
                    "problems_found",
                    "headers_sent",
                )
            },
        ),
        (_("Payload"), {"fields": ("payload_sent",), "classes": ("superoffice-wide",)}),
        (_("Body"), {"fields": ("body_sent",), "classes": ("collapse", "superoffice-wide")}),
    )

    received = showing.moment("received_at", _("received"))
    occurred = showing.moment("occurred_at", _("occurred"))
    next_attempt = showing.moment("next_attempt_at", _("next attempt"))
    begun = showing.moment("begun_at", _("begun"))
    finished = showing.moment("finished_at", _("finished"))

    def page_context(self, request: HttpRequest, event: Event) -> dict[str, Any]:
        """What happened, and what became of the event."""
        runs = list(event.runs.select_related("replay").order_by("-pk")[:NEWEST])
        replays = {run.replay_id: run.replay for run in runs if run.replay}
        again = event.redeliveries.order_by("pk")[:NEWEST]
        return {
            "summary": summary(event, len(replays)),
            "fields": event_parts.fields(event),
            "attempts": list(event_parts.attempts(runs)),
            "is_cut": len(runs) == NEWEST,
            "receivers": [listener(verdict) for verdict in verdicts_on(event)],
            "deliveries": event_parts.deliveries(event, again),
            "replays": replays.values(),
            "newest": NEWEST,
            "has_replay_permission": self.has_replay_permission(request),  # type: ignore[attr-defined]
            "can_be_handled": event.status == Event.Status.FAILED,
        }

    @admin.display(description=_("event name"))
    def event_name(self, event: Event) -> str:
        return event.name or gettext("(no name)")

    @admin.display(description=_("record"))
    def all_of_record(self, event: Event) -> str:
        """The record, and the way to everything that happened to it."""
        if event.primary_key is None:
            return record(event)
        return format_html(
            '{} (<a href="{}">{}</a>)',
            record(event),
            self.record_url(event),  # type: ignore[attr-defined]
            gettext("all its events"),
        )

    @admin.display(description=_("associate"))
    def associate(self, event: Event) -> str:
        """Whose doing it was, and whether that is us."""
        number = "" if event.associate_id is None else str(event.associate_id)
        return gettext("%(id)s (our own)") % {"id": number} if event.is_own else number

    @admin.display(description=_("newer event"))
    def newer_event(self, event: Event) -> str:
        """The newest event of the record, if this is not it."""
        newest = event.newest_for_record
        if newest == event:
            return gettext("none: this is the record's newest")
        url = reverse(
            "admin:superoffice_hooks_event_change",
            args=[newest.pk],
            current_app=self.admin_site.name,
        )
        return format_html(
            '<a href="{}">{}</a> {}', url, newest.name, showing.at(newest.happened_at)
        )

    @admin.display(description=_("status"))
    def status_word(self, event: Event) -> SafeString:
        return stages.status(event)

    @admin.display(description=_("problems"))
    def problems_found(self, event: Event) -> str:
        return showing.lines(event.problems) or gettext("none")

    @admin.display(description=_("headers"))
    def headers_sent(self, event: Event) -> str:
        return _pruned(event) or showing.headers(event.headers)

    @admin.display(description=_("as read"))
    def payload_sent(self, event: Event) -> SafeString:
        return showing.as_json(event.payload)

    @admin.display(description=_("as sent"))
    def body_sent(self, event: Event) -> str:
        return _pruned(event) or showing.text(event.body)


def _pruned(event: Event) -> str:
    """Why there is nothing left of what was sent; empty if there is."""
    if not event.pruned_at:
        return ""
    return gettext("pruned on %(when)s") % {"when": showing.at(event.pruned_at)}
