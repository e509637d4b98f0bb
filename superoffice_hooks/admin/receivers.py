"""The receivers: how often each was called, how long that took, and what is still failed."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ..models import Event
from ..receivers import Receiver
from ..reports.receivers import Figures, receivers
from . import display
from .failed_receivers import error_line
from .gatherings import together
from .readonly import ReadOnlyAdmin, may_replay
from .tables import Cell, Table
from .windows import ChosenWindow, Links

_ERROR_LENGTH = 120


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest) -> HttpResponse:
    """Show what the receivers did during a window."""
    chosen = ChosenWindow(request)
    links = Links(admin, chosen.window)
    report = receivers(chosen.window, admin.visible(request))
    may = may_replay(request)
    counted = ""
    if report.since:
        words = gettext("Not all calls are counted, only those since %(when)s.")
        counted = words % {"when": display.at(report.since)}
    columns = (
        gettext("Receiver"),
        gettext("Calls"),
        gettext("Failed"),
        gettext("Mean"),
        gettext("p95"),
        gettext("Last success"),
        gettext("Last failure"),
        gettext("Still failed"),
    )
    table = Table(
        "receivers",
        gettext("Receivers"),
        columns,
        [_row(links, figures, may=may) for figures in report.receivers],
        gettext("No receiver is connected, and none was called in this time."),
        " ".join(filter(None, [gettext("95 of 100 calls took no longer than the p95."), counted])),
        is_wide=True,
    )
    return admin.render(
        request,
        "figures.html",
        title=gettext("Receivers"),
        tables=[table],
        **chosen.context(),
    )


def _row(links: Links, figures: Figures, *, may: bool) -> list[Cell]:
    return [
        Cell(_name(figures)),
        Cell(_calls(figures), is_right=True),
        Cell(_share(figures), is_right=True),
        Cell(_duration(figures.mean), is_right=True),
        Cell(_duration(figures.p95), is_right=True),
        Cell(_ago(figures.last_success)),
        Cell(_last_failure(figures)),
        Cell(_still_failed(links, figures, may=may), is_right=True),
    ]


def _name(figures: Figures) -> SafeString:
    """Return the path of a receiver, and what it is connected to with which filters."""
    if not figures.connections:
        words = [gettext("not connected")]
    else:
        words = [_filters(connection) for connection in figures.connections]
    lines = format_html_join("", '<div class="superoffice-quiet">{}</div>', ((w,) for w in words))
    return format_html("{}{}", display.breakable(figures.receiver), lines)


def _filters(receiver: Receiver) -> str:
    """Return the events that a receiver is for: ``ticket.changed, fields: priority``."""
    options = receiver.options
    parts = [receiver.pattern]
    if options.fields is not None:
        fields = options.fields if isinstance(options.fields, str) else gettext("by a function")
        names: Iterable[str] = options.names or [fields]
        parts.append(gettext("fields: %(names)s") % {"names": ", ".join(sorted(names))})
        if options.unknown_changes == "skip":
            parts.append(gettext("not if the changed fields are unknown"))
    if options.ignore_own:
        parts.append(gettext("not our own"))
    return "; ".join(filter(None, [*parts, together(options)]))


def _calls(figures: Figures) -> str:
    """Return the number of calls, and of events if there were several in one call."""
    if figures.runs == figures.calls:
        return localize(figures.calls)
    return gettext("%(calls)s for %(events)s events") % {
        "calls": localize(figures.calls),
        "events": localize(figures.runs),
    }


def _share(figures: Figures) -> str:
    rate = figures.failure_rate
    if rate is None:
        return ""
    return f"{localize(round(100 * rate, 1))} % ({localize(figures.failed)})"


def _duration(duration: timedelta | None) -> str:
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    if seconds < 1:
        return gettext("%(count)s ms") % {"count": localize(round(1000 * seconds))}
    return gettext("%(count)s s") % {"count": localize(round(seconds, 1))}


def _ago(time: datetime | None) -> str:
    """Return a time and how long ago it was. What happened before the window is not known."""
    return display.ago(time) if time else gettext("none counted")


def _last_failure(figures: Figures) -> str:
    if figures.last_failure is None:
        return _ago(None)
    error = error_line(figures.error, _ERROR_LENGTH)
    return format_html("{}<div>{}</div>", display.ago(figures.last_failure), error)


def _still_failed(links: Links, figures: Figures, *, may: bool) -> SafeString | str:
    """Return how many events are still failed, with links to them and to their replay."""
    if not figures.still_failed:
        return localize(0)
    url = links.of_window(failing=figures.receiver)
    count = format_html('<a href="{}">{}</a>', url, localize(figures.still_failed))
    if not may:
        return count
    again = links.replay(failing=figures.receiver)
    return format_html('{} <a href="{}">{}</a>', count, again, gettext("Replay"))
