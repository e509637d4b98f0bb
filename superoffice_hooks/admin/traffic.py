"""What came in: events by hour, by name and by changed field."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from ..models import Event
from ..models.event_queryset import EventQuerySet
from ..reports import recent
from . import charts
from .readonly import ReadOnlyAdmin
from .tables import Cell, Table, bar, hidden
from .windows import ChosenWindow, Links, received

MAX_ROWS = 15
"""The number of event names and of changed fields that are shown."""


class Count(NamedTuple):
    """The number of events with a status, and the URL of their list."""

    status: str
    word: str
    events: int
    url: str


class Tally(NamedTuple):
    """The events of a time, altogether and by status."""

    total: int
    url: str
    counts: list[Count]


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest) -> HttpResponse:
    """Show what came in during a window."""
    chosen = ChosenWindow(request)
    links = Links(admin, chosen.window)
    scope = admin.visible(request)
    return admin.render(
        request,
        "figures.html",
        title=gettext("What came in"),
        tables=[_names(links, scope), _fields(links, scope)],
        **chosen.context(),
    )


def columns_of_hours(links: Links, scope: EventQuerySet | None) -> dict[str, Any]:
    """Return the events of a window by hour and status, as a chart and as a table."""
    hours = recent.events_by_hour(links.window, scope)
    tally = _tally(links, recent.totals(hours), links.received)
    if not tally.total:
        return {"tally": tally}
    columns = charts.columns(hours)
    words = [count.word.capitalize() for count in tally.counts]
    rows = [
        [Cell(charts.at(one.start)), Cell(counted.total, counted.url)]
        + [Cell(count.events, count.url if count.events else "") for count in counted.counts]
        for one in columns
        if one.events
        for counted in [_tally(links, one.events, _during(links, one))]
    ]
    heading = charts.heading(columns[0].hours)
    return {
        "tally": tally,
        "chart": charts.chart(columns),
        "chart_heading": heading,
        "busiest": charts.words(max(columns, key=charts.total)),
        "hours": Table("hours", heading, [gettext("From"), gettext("Events"), *words], rows),
    }


def _during(links: Links, column: recent.Hour) -> dict[str, str]:
    end = column.start + timedelta(hours=column.hours)
    return received(column.start, min(end, links.window.until))


def _tally(links: Links, events: Mapping[str, int], during: dict[str, str]) -> Tally:
    counts = [
        Count(status, str(status.label), events.get(status, 0), url)
        for status in reversed(charts.STACK)
        for url in [links.events(status__exact=status, **during)]
    ]
    return Tally(sum(events.values()), links.events(**during), counts)


def _names(links: Links, scope: EventQuerySet | None) -> Table:
    """Return the event names with the highest counts."""
    names = recent.events_by_name(links.window, MAX_ROWS, scope)
    rows = []
    for name, events, failed in names:
        # The filter of the list takes an empty value for no filter.
        named = {"name": name} if name else {"name__exact": ""}
        url = links.of_window(status__exact=Event.Status.FAILED, **named) if failed else ""
        rows.append(
            [
                Cell(name or gettext("(no name)"), links.of_window(**named)),
                Cell(events, links.of_window(**named)),
                Cell(failed, url),
                bar(events, names[0].events),
            ]
        )
    total = links.window.events(scope).count()
    if others := total - sum(name.events for name in names):
        rows.append([Cell(gettext("other names")), Cell(others), Cell(""), Cell("")])
    columns = gettext("Event name"), gettext("Events"), gettext("Failed")
    return Table(
        "names",
        gettext("Events by name"),
        [*columns, hidden(gettext("Share"))],
        rows,
        gettext("No event in this time."),
    )


def _fields(links: Links, scope: EventQuerySet | None) -> Table:
    """Return the fields with the highest counts of changes."""
    fields = recent.changed_fields(links.window, MAX_ROWS, scope)
    rows = [
        [Cell(f"{entity}.{name}", url), Cell(events, url), bar(events, fields[0].events)]
        for entity, name, events in fields
        for url in [links.of_window(entity=entity, changed=name)]
    ]
    counted = gettext("Counted over the %(max_lists)s most frequent lists of changed fields.")
    return Table(
        "fields",
        gettext("Changed fields"),
        [gettext("Changed field"), gettext("Events"), hidden(gettext("Share"))],
        rows,
        gettext("No event of this time named its changed fields."),
        counted % {"max_lists": recent.MAX_LISTS},
    )
