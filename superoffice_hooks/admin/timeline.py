"""The timeline of a record: all that happened to it, and which field changed when."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from ..models import Event
from ..models.event import EventQuerySet
from ..values import storable_text
from . import showing, stages
from .summary import record

if TYPE_CHECKING:
    _EventAdmin = admin.ModelAdmin[Event]
else:
    _EventAdmin = object

PAGE = "page"

_NUMBER = re.compile(r"-?[0-9]{1,19}")
_BIGINT = range(-(2**63), 2**63)


class Happened(NamedTuple):
    """An event, as the timeline shows it."""

    event: Event
    url: str
    at: str
    status: str
    fields: frozenset[str]
    """The names of its changed fields, in lower case; none means unknown."""


class Row(NamedTuple):
    """A line of the grid: a field, and for each event whether it changed; None means unknown."""

    field: str
    cells: list[bool | None]


class Timeline(_EventAdmin):
    """Gives the event admin a page for each record of SuperOffice."""

    EVENTS = 50
    """Events on one page."""
    FIELDS = 100
    """Fields in the grid of a page; the widest documented event has 47."""
    NAMES = 500
    """Fields that are named below the grid where it has no room for them."""

    def get_urls(self) -> list[URLPattern]:
        """The URLs of the admin, and the timeline's."""
        view = self.admin_site.admin_view(self.record_view)
        return [path("record/", view, name="superoffice_hooks_event_record"), *super().get_urls()]

    def record_url(self, event: Event) -> str:
        """The timeline of the record an event concerns."""
        return f"{self._url('record')}?{urlencode(_parameters(event))}"

    def record_view(self, request: HttpRequest) -> HttpResponse:
        """Every event of one record, newest first.

        Raises:
            Http404: tenant, entity or primary key is missing, or the key is no 64-bit number.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = _asked(request)
        keys = Paginator(self._record_keys(request, asked), self.EVENTS)
        page = keys.get_page(request.GET.get(PAGE))
        happened = self._happened(page.object_list)
        rows = grid(happened)
        others = [row.field for row in rows[self.FIELDS :]]
        title = record(asked).strip()
        if asked.tenant:
            title = gettext("%(record)s of %(tenant)s") % {"record": title, "tenant": asked.tenant}
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "media": self.media,
            "page": page,
            "happened": happened,
            "rows": rows[: self.FIELDS],
            "others": showing.codes(others[: self.NAMES]),
            "more": max(0, len(others) - self.NAMES),
            "older": page.has_next() and self._page_url(asked, page.next_page_number()),
            "newer": page.has_previous() and self._page_url(asked, page.previous_page_number()),
            "in_list": self._list_url(asked),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/superoffice_hooks/event/timeline.html", context)

    def _record_keys(self, request: HttpRequest, asked: Event) -> QuerySet[Event, int]:
        """The keys of the record's events that the user may see, newest first.

        Keys alone, for all events of the record have to be sorted, and no index does that.
        """
        events = cast("EventQuerySet", self.get_queryset(request))
        of_record = events.for_record(asked.entity, asked.primary_key or 0, asked.tenant)
        return of_record.values_list("pk", flat=True)

    def _happened(self, keys: Iterable[int]) -> list[Happened]:
        """The events with these keys; no payload is read, for the change sets have the names."""
        slim = Event.objects.defer("payload", "body", "headers", "problems")
        events = slim.prefetch_related("change_set__fields").in_bulk(list(keys))
        return [
            Happened(
                event=events[key],
                url=self._url("change", key),
                at=showing.at(events[key].happened_at),
                status=stages.status(events[key]),
                fields=_fields(events[key]),
            )
            for key in keys
            # Unless it was pruned this instant.
            if key in events
        ]

    def _page_url(self, asked: Event, number: int) -> str:
        return f"?{urlencode({**_parameters(asked), PAGE: number})}"

    def _list_url(self, asked: Event) -> str:
        """The same events in the list, where they can be filtered and replayed."""
        parameters = {SEARCH_VAR: record(asked).strip()}
        if asked.tenant:
            parameters["tenant"] = asked.tenant
        return f"{self._url('changelist')}?{urlencode(parameters)}"

    def _url(self, page: str, *arguments: object) -> str:
        name = f"admin:superoffice_hooks_event_{page}"
        return reverse(name, args=arguments, current_app=self.admin_site.name)


def grid(happened: Sequence[Happened]) -> list[Row]:
    """Which field changed in which of these events, newest first; the fields likewise.

    Fields that changed last in the same event are in the order of their names.
    """
    last_changed: dict[str, int] = {}
    for place, one in enumerate(happened):
        for field in one.fields:
            last_changed.setdefault(field, place)
    in_order = sorted(last_changed, key=lambda field: (last_changed[field], field))
    return [
        Row(field, [field in one.fields if one.fields else None for one in happened])
        for field in in_order
    ]


def _fields(event: Event) -> frozenset[str]:
    fields = event.change_set.fields.all() if event.change_set else ()
    return frozenset(field.name for field in fields)


def _asked(request: HttpRequest) -> Event:
    """The record asked for, as an event of it would name it."""
    values = [request.GET.get(name) for name in ("tenant", "entity", "primary_key")]
    tenant, entity, number = values
    if tenant is None or entity is None or not _NUMBER.fullmatch(number or ""):
        raise Http404(gettext("A record is a tenant, an entity and a primary key."))
    primary_key = int(number or "")
    if primary_key not in _BIGINT:
        raise Http404(gettext("A primary key has 64 bits."))
    return Event(
        tenant=storable_text(tenant),
        entity=storable_text(entity).lower(),
        primary_key=primary_key,
    )


def _parameters(event: Event) -> dict[str, Any]:
    return {
        "tenant": event.tenant,
        "entity": event.entity,
        "primary_key": event.primary_key,
    }
