"""Events in the admin: their list, the page of one, and the pages to act on them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event
from ..models.event_queryset import EventQuerySet
from ..wire.notification import changed_names
from . import (
    copy_page,
    display,
    event_page,
    mark_handled,
    overview,
    receivers,
    replay_page,
    stages,
    timeline,
    traffic,
)
from .event_list import EventList, ListedEvent
from .failed_receivers import in_short
from .filters import FILTERS
from .readonly import ReadOnlyAdmin
from .summary import record

READ = ("GET", "HEAD")


class EventAdmin(ReadOnlyAdmin[Event]):
    """What happened in SuperOffice, and what our receivers made of it."""

    list_display = (
        "status_word",
        "received",
        "event_name",
        "record",
        "changed",
        "failure",
    )
    list_display_links = ("received", "event_name")
    list_filter = FILTERS
    # EventList has one order.
    sortable_by = ()
    list_defer = ("payload", "body", "headers", "problems")
    # Shows the search box; search.py does the search.
    search_fields = ("event_id",)
    search_help_text = _(
        "An EventId, the number of a record (527331, ticket 527331), a tenant, a changed field, a"
        " receiver, words of the error of a recent run, or how the name of a webhook begins."
    )
    actions = ("replay", "handle", "undo_handled")
    fieldsets = event_page.FIELDSETS

    class Media:
        css: ClassVar = {"all": ["superoffice_hooks/events.css"]}

    received = display.time_column("received_at", _("received"))
    occurred = display.time_column("occurred_at", _("occurred"))
    next_attempt = display.time_column("next_attempt_at", _("next attempt"))
    begun = display.time_column("begun_at", _("begun"))
    finished = display.time_column("finished_at", _("finished"))
    tenant_sent = display.text_column("tenant", _("tenant"))
    webhook_sent = display.text_column("webhook_name", _("webhook"))
    entity_sent = display.text_column("entity", _("entity"))
    action_sent = display.text_column("action", _("action"))
    endpoint_sent = display.text_column("endpoint", _("endpoint"))
    begun_by_process = display.text_column("begun_by", _("begun by"))
    calling_receiver = display.text_column("calling", _("calling"))

    def get_urls(self) -> list[URLPattern]:
        return [
            self.page("overview/", overview.view, self.has_view_permission, methods=READ),
            self.page("receivers/", receivers.view, self.has_view_permission, methods=READ),
            self.page("traffic/", traffic.view, self.has_view_permission, methods=READ),
            self.page("record/", timeline.view, self.has_view_permission),
            self.page("<int:pk>/copy/", copy_page.view, self.has_view_permission),
            self.page("<int:pk>/body/", copy_page.body, self.has_view_permission),
            self.page("<int:pk>/payload/", copy_page.payload, self.has_view_permission),
            self.page("<int:pk>/handle/", mark_handled.view, self.has_replay_permission),
            self.page(
                "<int:pk>/undo-handled/",
                mark_handled.undo,
                self.has_replay_permission,
                methods=["POST"],
            ),
            self.page(
                "handle-selected/",
                mark_handled.view_selected,
                self.has_replay_permission,
                methods=["POST"],
            ),
            # A transaction around it would undo the runs of receivers after an error.
            self.page("replay/", replay_page.view, self.has_replay_permission, is_atomic=False),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return EventList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Return all events: EventList does the search."""
        return queryset, False

    def page_context(self, request: HttpRequest, event: Event) -> dict[str, Any]:
        """Return what happened, what became of the event, and what can be done."""
        return event_page.context(self, request, event)

    @admin.action(description=_("Replay selected events"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Event]) -> HttpResponse | None:
        """Ask for a confirmation, and replay the events after it."""
        return replay_page.confirm_selected(self, request, queryset)

    @admin.action(description=_("Mark selected events as handled"), permissions=["replay"])
    def handle(self, request: HttpRequest, queryset: QuerySet[Event]) -> HttpResponse | None:
        """Ask what was done, and mark the events after it."""
        return mark_handled.confirm_selected(self, request, queryset)

    @admin.action(description=_("Undo “handled” of selected events"), permissions=["replay"])
    def undo_handled(self, request: HttpRequest, queryset: EventQuerySet) -> None:
        """Let the events be failed again."""
        mark_handled.undo_selected(self, request, queryset)

    @admin.display(description=_("record"))
    def record(self, event: Event) -> SafeString | None:
        """Return the record, and its tenant below it."""
        if not record(event):
            return None
        names = display.line(record(event), 80), display.line(event.tenant, 80)
        return format_html('{} <span class="superoffice-tenant">{}</span>', *names)

    @admin.display(description=_("failure"))
    def failure(self, event: ListedEvent) -> SafeString:
        """Return the receiver that failed last, and its error."""
        return in_short(event.failures)

    @admin.display(description=_("changed fields"))
    def changed(self, event: ListedEvent) -> SafeString:
        """Return the first changed fields, and the number of the others, which opens them."""
        names = changed_names({"Changes": event.sent_changes})
        return display.chips(names) if names else display.NONE

    @admin.display(description=_("event name"))
    def event_name(self, event: Event) -> str:
        return display.breakable(display.line(event.name, 80)) or gettext("(no name)")

    @admin.display(description=_("record"))
    def all_of_record(self, event: Event) -> str:
        """Return the record, with a link to its timeline."""
        if event.primary_key is None:
            return display.bounded(record(event))
        url = timeline.url(self, event)
        shown = display.bounded(record(event))
        return format_html('{} (<a href="{}">{}</a>)', shown, url, gettext("all its events"))

    @admin.display(description=_("associate"))
    def associate(self, event: Event) -> str:
        """Return who caused the event, and whether that is us."""
        number = "" if event.associate_id is None else str(event.associate_id)
        return gettext("%(id)s (our own)") % {"id": number} if event.is_own else number

    @admin.display(description=_("newer event"))
    def newer_event(self, event: Event) -> str:
        """Return the newest event of the record, unless this is it."""
        newest = event.newest_for_record
        if newest == event:
            return gettext("none: this is the record's newest")
        url = self.url("event_change", newest.pk)
        time = display.at(newest.happened_at)
        name = display.line(newest.name) or gettext("(no name)")
        return format_html('<a href="{}">{}</a> {}', url, name, time)

    @admin.display(description=_("status"))
    def status_word(self, event: Event) -> SafeString:
        return stages.status(event)

    @admin.display(description=_("problems"))
    def problems_shown(self, event: Event) -> str:
        return display.lines(event.problems) or gettext("none")

    @admin.display(description=_("headers"))
    def headers_sent(self, event: Event) -> str:
        return event_page.pruned(event) or display.headers(event.headers)

    @admin.display(description=_("as read"))
    def payload_sent(self, event: Event) -> SafeString:
        return event_page.start_of(
            display.json_text(event.payload), self.url("event_payload", event.pk)
        )

    @admin.display(description=_("as sent"))
    def body_sent(self, event: Event) -> str:
        return event_page.pruned(event) or event_page.start_of(
            event.body, self.url("event_body", event.pk)
        )
