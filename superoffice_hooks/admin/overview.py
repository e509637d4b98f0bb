"""The overview: what came in lately, what waits, what fails, at a glance."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import watching
from ..models import Event, Rejection
from . import charts
from .summary import record

if TYPE_CHECKING:
    _EventAdmin = admin.ModelAdmin[Event]
else:
    _EventAdmin = object

FAILED = Event.Status.FAILED
MOST = 15
"""So many event names and changed fields are shown, the most frequent ones."""


class Row(NamedTuple):
    """A figure, and where what it counts is listed."""

    figure: Any
    url: str
    failed: str = ""
    """Where those of it are listed that failed."""


class Count(NamedTuple):
    """How many events have a status, and where they are listed."""

    status: str
    word: str
    events: int
    url: str


class Tally(NamedTuple):
    """The events of a time, altogether and by status."""

    total: int
    url: str
    counts: list[Count]


class Overview(_EventAdmin):
    """Gives the event admin its overview page."""

    def get_urls(self) -> list[URLPattern]:
        """The URLs of the admin, and the overview's."""
        view = self.admin_site.admin_view(self.overview_view)
        name = "superoffice_hooks_event_overview"
        return [path("overview/", view, name=name), *super().get_urls()]

    def overview_view(self, request: HttpRequest) -> TemplateResponse:
        """The page, with what this user may see."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        window = watching.Window.latest()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Overview"),
            "opts": self.opts,
            "media": self.media,
            "number_of_hours": watching.HOURS,
            "since": charts.at(window.since),
            **self._received(window),
            **self._waiting(),
            **_dispatching(),
            "failures": self._failures(window),
            "endpoints": self._endpoints(),
        }
        if _may_view_rejections(request):
            context["rejections"] = self._rejections(window)
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/superoffice_hooks/overview.html", context)

    def _received(self, window: watching.Window) -> dict[str, Any]:
        """What came in: by hour and status, by event name, by changed field."""
        hours = watching.events_by_hour(window)
        since = {"received_at__gte": window.since.isoformat()}
        tally = self._tally(watching.totals(hours), since)
        if not tally.total:
            return {"tally": tally}
        names = [
            Row(found, self._events(**named), self._events(status__exact=FAILED, **named))
            for found in watching.events_by_name(window, MOST)
            for named in [{**_named(found.name), **since}]
        ]
        fields = [
            Row(found, self._events(entity=found.entity, changed=found.name, **since))
            for found in watching.changed_fields(window, MOST)
        ]
        return {
            "tally": tally,
            "chart": charts.chart(hours),
            "busiest": charts.words(max(hours, key=charts.total)),
            "hours": [
                (charts.at(hour.start), self._tally(hour.events, _during(hour.start)))
                for hour in hours
                if hour.events
            ],
            "names": names,
            "other_names": tally.total - sum(row.figure.events for row in names),
            "fields": fields,
            "most_lists": watching.MOST_LISTS,
        }

    def _waiting(self) -> dict[str, Any]:
        """What waits to be dispatched, and the oldest of it."""
        pending = watching.pending()
        return {
            "pending": Row(pending, self._events(status__exact=Event.Status.PENDING)),
            "all_pending": pending.events < watching.MOST_PENDING,
            "record": record(pending.oldest) if pending.oldest else "",
        }

    def _failures(self, window: watching.Window) -> list[Row]:
        """Which receivers fail."""
        return [
            Row(found, self._events(receiver=found.receiver)) for found in watching.failures(window)
        ]

    def _rejections(self, window: watching.Window) -> list[Row]:
        """Why deliveries are refused."""
        since = {"received_at__gte": window.since.isoformat()}
        return [
            Row(found, self._list("rejection", reason=found.reason, **since))
            for found in watching.rejections(window)
        ]

    def _endpoints(self) -> list[Row]:
        """Who still hears of SuperOffice."""
        return [Row(found, self._events(endpoint=found.name)) for found in watching.endpoints()]

    def _tally(self, events: Mapping[str, int], during: dict[str, str]) -> Tally:
        counts = [
            Count(
                status.value,
                str(status.label),
                events.get(status, 0),
                self._events(status__exact=status, **during),
            )
            for status in reversed(charts.STACK)
        ]
        return Tally(sum(events.values()), self._events(**during), counts)

    def _events(self, **filters: str) -> str:
        return self._list("event", **filters)

    def _list(self, model: str, **filters: str) -> str:
        name = f"admin:superoffice_hooks_{model}_changelist"
        return f"{reverse(name, current_app=self.admin_site.name)}?{urlencode(filters)}"


def _dispatching() -> dict[str, Any]:
    """Who dispatches, what is due, and what is wrong with that."""
    now = watching.dispatching()
    return {
        "dispatching": now,
        "all_due": now.due < watching.MOST_PENDING,
        "due_since": timezone.now() - timedelta(seconds=now.oldest_due),
        "spooled_since": timezone.now() - now.spool.age if now.spool.age else None,
        "dispatching_problems": watching.dispatching_problems(now=now),
    }


def _named(name: str) -> dict[str, str]:
    # The filter of the list takes an empty value for no filter.
    return {"name": name} if name else {"name__exact": ""}


def _during(hour: datetime) -> dict[str, str]:
    until = hour + timedelta(hours=1)
    return {"received_at__gte": hour.isoformat(), "received_at__lt": until.isoformat()}


def _may_view_rejections(request: HttpRequest) -> bool:
    permission = get_permission_codename("view", Rejection._meta)
    return request.user.has_perm(f"{Rejection._meta.app_label}.{permission}")
