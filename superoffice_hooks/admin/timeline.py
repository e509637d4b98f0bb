"""The timeline of a record: all that happened to it, and which field changed when."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

from django.contrib.admin.views.main import SEARCH_VAR
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ..models import Event
from ..models.event_queryset import EventQuerySet
from ..wire.values import BIGINT, storable_text
from . import display, stages
from .readonly import ReadOnlyAdmin
from .summary import of_tenant, record

EVENTS = 50
"""The number of events on one page."""
FIELDS = 100
"""The number of fields in the grid; the documented event with the largest number has 47."""
NAMES = 500
"""Names of fields below the grid, which has no room for them."""
PAGE = "page"
_NAME_LENGTH = 60

_NUMBER = re.compile(r"-?[0-9]{1,19}")


class Happened(NamedTuple):
    """An event, as the timeline shows it."""

    event: Event
    url: str
    name: SafeString
    short: str
    """The action, or else the name, for a narrow column."""
    at: str
    status: str
    fields: frozenset[str]
    """The names of its changed fields, in lower case; none means unknown."""


class Row(NamedTuple):
    """A line of the grid: a field, and for each event whether it changed; None means unknown."""

    field: str
    cells: list[bool | None]

    @property
    def shown(self) -> SafeString:
        """Return the field as it is shown."""
        return display.bounded(self.field, _NAME_LENGTH)


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest) -> HttpResponse:
    """Show every event of one record, newest first.

    Raises:
        Http404: tenant, entity or primary key is missing, or the key is no 64-bit number.
    """
    of = _record(request)
    events = cast("EventQuerySet", admin.get_queryset(request))
    of_record = events.for_record(of.entity, of.primary_key or 0, of.tenant)
    # Only keys are sorted, since no index has the events of a record in this order.
    page = Paginator(of_record.values_list("pk", flat=True), EVENTS).get_page(request.GET.get(PAGE))
    happened = _happened(admin, page.object_list)
    rows = grid(happened)
    others = [row.field for row in rows[FIELDS:]]
    in_list = {SEARCH_VAR: record(of)} | ({"tenant": of.tenant} if of.tenant else {})
    return admin.render(
        request,
        "event/timeline.html",
        title=of_tenant(of),
        page=page,
        happened=happened,
        rows=rows[:FIELDS],
        others=display.codes(display.line(name, _NAME_LENGTH) for name in others[:NAMES]),
        more=max(0, len(others) - NAMES),
        older=page.has_next() and _query(of, page=page.next_page_number()),
        newer=page.has_previous() and _query(of, page=page.previous_page_number()),
        in_list=f"{admin.url('event_changelist')}?{urlencode(in_list)}",
    )


def url(admin: ReadOnlyAdmin[Event], event: Event) -> str:
    """Return the URL of the timeline of an event's record."""
    return admin.url("event_record") + _query(event)


def grid(happened: Sequence[Happened]) -> list[Row]:
    """Return which field changed in which of these events, the last changed field first.

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


def _happened(admin: ReadOnlyAdmin[Event], keys: Iterable[int]) -> list[Happened]:
    """Return the events with these keys, without reading a payload: change sets have the names."""
    slim = Event.objects.defer("payload", "body", "headers", "problems")
    events = slim.prefetch_related("change_set__fields").in_bulk(list(keys))
    return [
        Happened(
            event=event,
            url=admin.url("event_change", event.pk),
            name=display.bounded(event.name),
            short=display.line(event.action or event.name, 20),
            at=display.at(event.happened_at),
            status=stages.status(event),
            fields=_fields(event),
        )
        # An event may have been pruned since.
        for event in filter(None, map(events.get, keys))
    ]


def _fields(event: Event) -> frozenset[str]:
    fields = event.change_set.fields.all() if event.change_set else ()
    return frozenset(field.name for field in fields)


def _record(request: HttpRequest) -> Event:
    """Return an unsaved event of the record in the query string."""
    values = [request.GET.get(name) for name in ("tenant", "entity", "primary_key")]
    tenant, entity, number = values
    if tenant is None or entity is None or not _NUMBER.fullmatch(number or ""):
        raise Http404(gettext("A record is a tenant, an entity and a primary key."))
    primary_key = int(number or "")
    if primary_key not in BIGINT:
        raise Http404(gettext("A primary key has 64 bits."))
    entity = storable_text(entity).lower()
    return Event(tenant=storable_text(tenant), entity=entity, primary_key=primary_key)


def _query(event: Event, **page: Any) -> str:
    of_record = {name: getattr(event, name) for name in ("tenant", "entity", "primary_key")}
    return f"?{urlencode(of_record | page)}"
