"""The list of events: which of them it looks through, and what it reads of those it shows."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connections
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, QueryDict
from django.utils.functional import cached_property

from .. import reaching
from ..models import Event, Redelivery
from . import reach
from .criteria import of_filters
from .filters import ReceivedFilter
from .readonly import RowList
from .search import search

# What the database believes it has, without counting.
_ESTIMATE = {
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)",
    "mysql": "SELECT table_rows FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = %s",
}


class EventList(RowList):
    """The newest events that the filters leave, as far back as ``reach`` lets it look."""

    back_to: datetime | None
    """No older event was looked at; None if all were."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Event]) -> list[Any]:
        """The order of receipt, whatever the URL says: others would sort the whole table."""
        return ["-received_at", "-pk"]

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The filters asked for, kept as they were asked."""
        asked = super().get_filters_params(params)
        self.asked = QueryDict(mutable=True)
        for key, values in asked.items():
            self.asked.setlist(key, values)
        return asked

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Event]:
        """The events that the filters and the search leave, within reach."""
        events, is_few = search(super().get_queryset(request, *args, **kwargs), self.query)
        if ticked := _ticked(request):
            # Named by somebody who saw them: they may be out of reach a burst of events later.
            events, is_few = events.filter(pk__in=ticked), True
        asked = [
            spec for spec in self.filter_specs if isinstance(spec, reach.Reaching) and spec.is_on
        ]
        is_few |= any(spec.is_few for spec in asked)
        self.back_to = None if is_few else self._back_to(request, asked)
        return events if self.back_to is None else events.filter(received_at__gte=self.back_to)

    def get_results(self, request: HttpRequest) -> None:
        """The page: its keys first, so that sorting and skipping read no payload."""
        super().get_results(request)
        keys = list(self.result_list.values_list("pk", flat=True))
        rows = self._shown().in_bulk(keys)
        self.result_list = [rows[key] for key in keys if key in rows]

    @property
    def problems(self) -> list[str]:
        """What is wrong with the filters asked for, in words."""
        return [problem for spec in self.filter_specs for problem in getattr(spec, "problems", ())]

    @property
    def most(self) -> int:
        """So many events are looked through at a time."""
        return reaching.MOST

    @property
    def older(self) -> str | None:
        """The query string of the list that begins where this one ends; None if nothing is left."""
        if self.back_to is None:
            return None
        return self.get_query_string({ReceivedFilter.UNTIL: self.back_to.isoformat()})

    @property
    def newest(self) -> str | None:
        """The query string of the list without an end; None if this is it."""
        if ReceivedFilter.UNTIL not in self.params:
            return None
        return self.get_query_string(remove=[ReceivedFilter.UNTIL])

    @property
    def replay_query(self) -> str | None:
        """The query string that plans a replay of all events the filters mean, however many.

        None without filters: a replay of everything is for the command line.
        """
        criteria = of_filters(self.asked)
        if criteria is None or not criteria.given():
            return None
        return urlencode({"criteria": json.dumps(criteria.as_json())})

    @cached_property
    def estimate(self) -> int | None:
        """About how many events there are, if the database keeps an estimate."""
        connection = connections[self.root_queryset.db]
        if (statement := _ESTIMATE.get(connection.vendor)) is None:
            return None
        with connection.cursor() as cursor:
            cursor.execute(statement, [self.opts.db_table])
            (found,) = cursor.fetchone() or (None,)
        about = int(found or 0)
        # Two figures are as good as the estimate is.
        return round(about, 2 - len(str(about))) if about > reaching.MOST else None

    def _back_to(self, request: HttpRequest, asked: list[Any]) -> datetime | None:
        """As far as the filter reaches whose index leads furthest back."""
        received = self.root_queryset
        for spec in asked:
            if isinstance(spec, ReceivedFilter):
                received = spec.queryset(request, received)
        followed = [spec.queryset(request, received) for spec in asked if spec.in_order]
        ends = [reach.back_to(events) for events in followed or [received]]
        return None if None in ends else min(end for end in ends if end)

    def _shown(self) -> QuerySet[Event]:
        """Rows with what the list shows of them: of the payload no more than ``Changes``."""
        redelivered = (
            Redelivery.objects.filter(event=OuterRef("pk"))
            .order_by()
            .values("event")
            .annotate(times=Count("pk") + Sum("omitted"))
            .values("times")
        )
        events: QuerySet[Event] = self.root_queryset
        return events.annotate(
            sent_changes=F("payload__Changes"), redelivered=Coalesce(Subquery(redelivered), 0)
        ).defer(*self.model_admin.list_defer)


def _ticked(request: HttpRequest) -> list[str]:
    """The keys of the events that an action is for, unless it is for all that the list has."""
    if request.POST.get("select_across") == "1":
        return []
    return request.POST.getlist(ACTION_CHECKBOX_NAME)
