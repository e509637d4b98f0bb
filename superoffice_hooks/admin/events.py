"""The list of events; ``event_page`` has the page of one."""

import re
from uuid import UUID

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from ..models import Event
from ..notification import changed_names
from .event_page import EventPage
from .filters import ChangedFieldFilter, EntityFilter, NameFilter, TenantFilter
from .handling import Handling
from .overview import Overview
from .readonly import ReadOnlyAdmin
from .replay import Replaying
from .summary import record
from .timeline import Timeline

# No more digits than a 64-bit number has.
_RECORD = re.compile(r"(?:(?P<entity>.*)\s)?(?P<primary_key>-?[0-9]{1,19})", re.DOTALL)


class EventAdmin(EventPage, Handling, Overview, Replaying, Timeline, ReadOnlyAdmin[Event]):
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

    @admin.display(description=_("record"), ordering="entity")
    def record(self, event: Event) -> str | None:
        return record(event) or None

    @admin.display(description=_("changed fields"))
    def changed(self, event: Event) -> str | None:
        """How many changed fields, and the first of them."""
        names = changed_names({"Changes": event.sent_changes})  # type: ignore[attr-defined]
        if not names:
            return None
        first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        return f"{len(names)}: {Truncator(first).chars(80)}"
