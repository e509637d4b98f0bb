"""The list of events, and the page of one."""

import re
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event
from ..notification import changed_names
from ..signals import verdicts_on
from . import showing
from .filters import ChangedFieldFilter, EntityFilter, NameFilter, TenantFilter
from .listeners import listener
from .readonly import ReadOnlyAdmin
from .replay import Replaying
from .summary import record, summary

NEWEST = 200
"""So many runs and redeliveries are shown on the page of an event; hardly any event has ten."""

# No more digits than a 64-bit number has.
_RECORD = re.compile(r"(?:(?P<entity>.*)\s)?(?P<primary_key>-?[0-9]{1,19})", re.DOTALL)


class EventAdmin(Replaying, ReadOnlyAdmin[Event]):
    """What happened in SuperOffice, and what our receivers made of it."""

    list_display = (
        "received",
        "status_word",
        "event_name",
        "record",
        "changed",
        "tenant",
        "attempts",
    )
    list_display_links = ("received", "event_name")
    list_filter = (
        "status",
        "received_at",
        ChangedFieldFilter,
        EntityFilter,
        NameFilter,
        TenantFilter,
        "is_own",
    )
    # What an index can sort.
    sortable_by = ("received", "event_name", "record", "status_word")
    list_defer = ("payload", "body", "headers", "problems")
    search_fields = ("event_id", "primary_key")
    search_help_text = _("An EventId, or the number of a record: 527331, ticket 527331")

    fieldsets = (
        (
            None,
            {
                "fields": (
                    "event_name",
                    "all_of_record",
                    "changed_fields",
                    "tenant",
                    ("associate_id", "is_own"),
                    "occurred",
                    "webhook_name",
                    ("entity", "action", "primary_key"),
                )
            },
        ),
        (
            _("Dispatch"),
            {"fields": ("status_word", "attempts", "next_attempt", "claimed", "finished")},
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
    claimed = showing.moment("claimed_until", _("claimed until"))
    finished = showing.moment("finished_at", _("finished"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """The events, with ``Changes`` as sent: the list needs no more of the payload."""
        return super().get_queryset(request).annotate(sent_changes=F("payload__Changes"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """The events of one EventId, or of the records with one number; none for anything else."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(event_id=UUID(term)), False
        except ValueError:
            pass
        found = _RECORD.fullmatch(term)
        if found is None:
            return queryset.none(), False
        queryset = queryset.filter(primary_key=int(found["primary_key"]))
        if found["entity"]:
            queryset = queryset.filter(entity=found["entity"].strip().lower())
        return queryset, False

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Event | None = None,
    ) -> HttpResponse:
        """The page, with what became of the event."""
        if obj:
            runs = list(obj.runs.select_related("replay").order_by("-pk")[:NEWEST])
            replays = {run.replay_id: run.replay for run in runs if run.replay}
            redeliveries = [
                (redelivery, redelivery.body and showing.head(redelivery.body))
                for redelivery in obj.redeliveries.order_by("-pk")[:NEWEST]
            ]
            context |= {
                "summary": summary(obj),
                "receivers": [listener(verdict) for verdict in verdicts_on(obj, sender=Event)],
                "runs": runs,
                "replays": replays.values(),
                "redeliveries": redeliveries,
                "newest": NEWEST,
                "has_replay_permission": self.has_replay_permission(request),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description=_("event name"), ordering="name")
    def event_name(self, event: Event) -> str:
        return event.name or gettext("(no name)")

    @admin.display(description=_("record"), ordering="entity")
    def record(self, event: Event) -> str | None:
        return record(event) or None

    @admin.display(description=_("record"))
    def all_of_record(self, event: Event) -> str:
        """The record, and the way to everything that happened to it."""
        if event.primary_key is None:
            return record(event)
        everything = reverse(
            "admin:superoffice_hooks_event_changelist", current_app=self.admin_site.name
        )
        return format_html(
            '{} (<a href="{}?{}">{}</a>)',
            record(event),
            everything,
            urlencode({SEARCH_VAR: record(event)}),
            gettext("all its events"),
        )

    @admin.display(description=_("changed fields"))
    def changed(self, event: Event) -> str | None:
        """How many changed fields, and the first of them."""
        names = changed_names({"Changes": event.sent_changes})  # type: ignore[attr-defined]
        if not names:
            return None
        first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        return f"{len(names)}: {Truncator(first).chars(80)}"

    @admin.display(description=_("changed fields"))
    def changed_fields(self, event: Event) -> str:
        return showing.codes(event.changes) or gettext("unknown, for the event names none")

    @admin.display(description=_("status"), ordering="status")
    def status_word(self, event: Event) -> SafeString:
        return showing.status(event.status, event.get_status_display())

    @admin.display(description=_("problems"))
    def problems_found(self, event: Event) -> str:
        return showing.lines(event.problems) or gettext("none")

    @admin.display(description=_("headers"))
    def headers_sent(self, event: Event) -> SafeString:
        return showing.headers(event.headers)

    @admin.display(description=_("as read"))
    def payload_sent(self, event: Event) -> SafeString:
        return showing.as_json(event.payload)

    @admin.display(description=_("as sent"))
    def body_sent(self, event: Event) -> SafeString:
        return showing.text(event.body)
