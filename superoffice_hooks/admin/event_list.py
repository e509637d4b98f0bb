"""The list of events: how far back it looks, and what it reads of the events that it shows."""

import json
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connections
from django.db.models import F, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.functional import cached_property

from ..models import Event
from ..models.paging import pages
from .criteria import of_filters
from .failed_receivers import Failure, failures
from .filters.received import ReceivedFilter
from .look_back import EventFilter, back_to
from .readonly import RowList
from .search import search

# The number of rows as the database estimates it, without counting.
_ESTIMATE = {
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)",
    "mysql": "SELECT table_rows FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = %s",
}


class ListedEvent(Protocol):
    """What the list reads of an event besides its columns."""

    sent_changes: Any
    """``Changes`` of the payload."""
    failures: list[Failure]
    """The receivers that failed last."""


class EventList(RowList):
    """The newest events that pass the filters, as far back as ``look_back`` allows."""

    back_to: datetime | None
    """When the oldest searched event was received; None if all events were searched."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Event]) -> list[Any]:
        """Return the order of receipt: another one would sort the whole table."""
        return ["-received_at", "-pk"]

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the filters, and keep them for ``replay_query``: Django changes the dict."""
        filters = super().get_filters_params(params)
        self.chosen = QueryDict(mutable=True)
        for key, values in filters.items():
            self.chosen.setlist(key, values)
        return filters

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Event]:
        """Return the events that pass the filters and the search, as far back as it looks."""
        events, is_narrow = search(super().get_queryset(request, *args, **kwargs), self.query)
        if selected := _selected(request):
            # New events may have come in since they were selected, so the list may end before them.
            events, is_narrow = events.filter(pk__in=selected), True
        active = [
            spec for spec in self.filter_specs if isinstance(spec, EventFilter) and spec.is_on
        ]
        is_narrow |= any(spec.is_narrow for spec in active)
        self.back_to = None if is_narrow else self._back_to(request, active)
        return events if self.back_to is None else events.filter(received_at__gte=self.back_to)

    def get_results(self, request: HttpRequest) -> None:
        """Read the page: its keys first, so that sorting and skipping read no payload."""
        super().get_results(request)
        keys = list(self.result_list.values_list("pk", flat=True))
        rows = self._shown().in_bulk(keys)
        self.result_list = [rows[key] for key in keys if key in rows]
        by_event = failures(self.result_list, self.root_queryset.db)
        for event in self.result_list:
            event.failures = by_event.get(event.pk, [])

    @property
    def problems(self) -> list[str]:
        """Return what is wrong with the filters, in words."""
        return [problem for spec in self.filter_specs for problem in getattr(spec, "problems", ())]

    @property
    def limit(self) -> int:
        """Return how many events the list looks at."""
        return pages.MAX_ROWS

    @property
    def older(self) -> str | None:
        """Return the query string of the events before ``back_to``; None if the list has all."""
        if self.back_to is None:
            return None
        return self.get_query_string({ReceivedFilter.UNTIL: self.back_to.isoformat()})

    @property
    def newest(self) -> str | None:
        """Return the query string of the newest events; None if these are the newest."""
        if ReceivedFilter.UNTIL not in self.params:
            return None
        return self.get_query_string(remove=[ReceivedFilter.UNTIL])

    @property
    def replay_query(self) -> str | None:
        """Return the query string of the confirmation page for all events that pass the filters.

        None without filters: a replay of all events needs the command.
        """
        criteria = of_filters(self.chosen)
        if criteria is None or not criteria.values():
            return None
        return urlencode({"criteria": json.dumps(criteria.as_json())})

    @cached_property
    def estimate(self) -> int | None:
        """Return about how many events there are, if the database keeps an estimate."""
        connection = connections[self.root_queryset.db]
        if (statement := _ESTIMATE.get(connection.vendor)) is None:
            return None
        with connection.cursor() as cursor:
            cursor.execute(statement, [self.opts.db_table])
            (estimate,) = cursor.fetchone() or (None,)
        about = int(estimate or 0)
        # The estimate has no more than two correct digits.
        return round(about, 2 - len(str(about))) if about > pages.MAX_ROWS else None

    def _back_to(self, request: HttpRequest, active: list[Any]) -> datetime | None:
        """Return how far back the list looks, by the index that reaches furthest."""
        received = self.root_queryset
        for spec in active:
            if isinstance(spec, ReceivedFilter):
                received = spec.queryset(request, received)
        in_order = [spec.queryset(request, received) for spec in active if spec.in_order]
        ends = [back_to(events) for events in in_order or [received]]
        return None if None in ends else min(end for end in ends if end)

    def _shown(self) -> QuerySet[Event]:
        """Return the events with what the list shows, only ``Changes`` of the payload."""
        events: QuerySet[Event] = self.root_queryset
        slim = events.defer(*self.model_admin.list_defer)
        return slim.annotate(sent_changes=F("payload__Changes"))


def _selected(request: HttpRequest) -> list[str]:
    """Return the keys that were selected one by one for an action."""
    if request.POST.get("select_across") == "1":
        return []
    return request.POST.getlist(ACTION_CHECKBOX_NAME)
