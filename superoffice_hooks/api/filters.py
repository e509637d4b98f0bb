"""The filters of lists. A wrong value is an error: it is never ignored."""

from typing import Any, cast

import django_filters
from django.apps import apps
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field

from ..models import Event, Rejection
from ..models.paging.conditions import Narrowed, Where
from ..models.paging.pages import Listing
from ..replay.criteria import MAX_NAMES, TABLE, Criteria, narrow, offered
from ..replay.value_kinds import Flag, Text, Time, ValueKind, Word
from .form_fields import NEWEST_FIRST, OLDEST_FIRST, EventIdField, Range, ValueField
from .serializers.criteria import field_of

SEARCH = "An EventId, or at least 4 of the digits it begins with."


class Filter(django_filters.Filter):
    """A filter that describes its values in the schema."""

    field_class = ValueField

    def __init__(
        self, field_name: str | None = None, *, kind: ValueKind, label: str, many: int = 0
    ):
        super().__init__(field_name, kind=kind, label=label, many=many)
        extend_schema_field(field_of(kind, many, help_text=label))(cast("Any", self))


@extend_schema_field({"type": "string", "description": SEARCH})
class SearchFilter(django_filters.Filter):
    """An EventId, or its first digits. Index: superoffice_event_once."""

    field_class = EventIdField

    def narrow(self, rows: QuerySet[Event], value: Range) -> Narrowed:
        test = Q(event_id__gte=value.first, event_id__lte=value.last)
        return Where(test, ("event_id", "name", "endpoint")).narrow(rows)


class ReceivedFilterSet(django_filters.FilterSet):
    """Filters of a table in the order of receipt."""

    since = Filter(kind=Time(), label=TABLE["since"].help)
    until = Filter(kind=Time(), label=TABLE["until"].help)
    ordering = Filter(
        kind=Word(((NEWEST_FIRST, "newest first"), (OLDEST_FIRST, "oldest first"))),
        label=f"`{NEWEST_FIRST}` (newest first, the default) or `{OLDEST_FIRST}`.",
    )

    @property
    def newest_first(self) -> bool:
        """Return whether the newest row is the first."""
        return bool(self.form.cleaned_data["ordering"] != OLDEST_FIRST)

    def listing(self) -> Listing:
        """Return the rows that pass the filters, whose values must be valid."""
        values = {k: v for k, v in self.form.cleaned_data.items() if v not in EMPTY_VALUES}
        values.pop("ordering", None)
        received = {row: values.pop(row) for row in ("since", "until") if row in values}
        scope = cast("QuerySet[Any]", self.queryset)
        if received:
            tests: dict[str, Any] = {str(TABLE[name].test): time for name, time in received.items()}
            scope = scope.filter(**tests)
        rows, keys = self.narrow(scope, values) if values else (scope, None)
        return Listing(scope, rows, keys)

    def narrow(self, rows: QuerySet[Any], values: dict[str, Any]) -> Narrowed:
        """Return the rows with these values, and their keys if an index knows them."""
        return rows.filter(**self.by_name(values)), None

    def by_name(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values by the names of columns or criteria, instead of parameters."""
        return {str(self.filters[key].field_name): value for key, value in values.items()}


class EventFilterSet(ReceivedFilterSet):
    """The filters of events: the criteria, and a search."""

    search = SearchFilter(label=SEARCH)

    class Meta:
        model = Event
        fields: tuple[str, ...] = ()

    def narrow(self, rows: QuerySet[Any], values: dict[str, Any]) -> Narrowed:
        keys: set[int] | None = None
        if "search" in values:
            rows, keys = SearchFilter().narrow(rows, values.pop("search"))
        rows, known = narrow(Criteria(**self.by_name(values)), rows)
        return rows, known if keys is None else keys if known is None else keys & known


EventFilterSet.base_filters.update(
    {
        row.key: Filter(row.name, kind=row.kind, label=row.help, many=min(row.many, MAX_NAMES))
        for row in offered("api")
    }
)


class RejectionFilterSet(ReceivedFilterSet):
    """The filters of rejections."""

    endpoint = Filter(kind=Text(50), label="The endpoint that it was delivered to.")
    reason = Filter(kind=Text(200), label="The reason for which it made no event.")
    verified = Filter(kind=Flag(), label="Whether it was signed.")

    class Meta:
        model = Rejection
        fields: tuple[str, ...] = ()


class FilterBackend(DjangoFilterBackend):
    """Shows the filters of a list in the schema and on pages. The list itself applies them."""

    def to_html(self, request: HttpRequest, queryset: QuerySet[Any], view: Any) -> str:
        """Return the form of the browsable API, if the project has django-filter's templates."""
        if not apps.is_installed("django_filters"):
            return ""
        return str(super().to_html(request, queryset, view))
