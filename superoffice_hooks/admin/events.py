"""Events in the admin: the columns of the list, and what it can be filtered by."""

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Event
from ..notification import changed_names
from . import filters, showing
from .event_list import EventList
from .event_page import EventPage
from .handling import Handling
from .overview import Overview
from .readonly import ReadOnlyAdmin
from .replay import Replaying
from .summary import record
from .timeline import Timeline


class EventAdmin(EventPage, Handling, Overview, Replaying, Timeline, ReadOnlyAdmin[Event]):
    """What happened in SuperOffice, and what our receivers made of it."""

    list_display = (
        "received",
        "event_name",
        "record",
        "changed",
        "status_word",
        "attempts",
        "redelivered",
        "tenant",
    )
    list_display_links = ("received", "event_name")
    list_filter = (
        filters.StatusFilter,
        filters.ReceivedFilter,
        filters.ChangedFieldFilter,
        filters.NameFilter,
        filters.EntityFilter,
        filters.TenantFilter,
        filters.EndpointFilter,
        filters.WebhookFilter,
        filters.ReceiverFilter,
        filters.OwnFilter,
    )
    # The list knows one order, see EventList.
    sortable_by = ()
    list_defer = ("payload", "body", "headers", "problems")
    # Shows the box; what it finds is in search.py.
    search_fields = ("event_id",)
    search_help_text = _(
        "An EventId, the number of a record (527331, ticket 527331), or how the name of a webhook"
        " begins, among the newest events."
    )

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return EventList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """All of them: EventList searches, because what it finds decides how far it looks."""
        return queryset, False

    @admin.display(description=_("record"))
    def record(self, event: Event) -> str | None:
        return record(event) or None

    @admin.display(description=_("changed fields"))
    def changed(self, event: Event) -> SafeString | None:
        """The first of the changed fields, and the others behind how many they are."""
        names = changed_names({"Changes": event.sent_changes})  # type: ignore[attr-defined]
        return showing.chips(names) if names else None

    @admin.display(description=_("redelivered"))
    def redelivered(self, event: Event) -> int:
        """How often the event was delivered again."""
        return event.redelivered  # type: ignore[attr-defined,no-any-return]
