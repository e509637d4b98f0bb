"""What lists can be filtered by. A wrong value is a mistake, and never ignored."""

from typing import Any, ClassVar, cast

import django_filters
from django.apps import apps
from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field

from ..models import Event, Rejection
from ..models.event import EventQuerySet
from ..narrowing import Changed, Condition, Ran
from ..reaching import Asked, few
from . import expected
from .expected import NEWEST_FIRST, OLDEST_FIRST

_NAMES = {"type": "array", "items": {"type": "string"}, "maxItems": expected.MOST_NAMES}

Narrowed = tuple[QuerySet[Any], set[int] | None]
"""Rows, and the keys of all that meet the condition, if they are few."""


class Filter(django_filters.Filter):
    """A filter that says in the schema what it takes."""

    schema: ClassVar[dict[str, Any]] = {"type": "string"}

    def __init__(self, field_name: str | None = None, *, label: str, **kwargs: Any) -> None:
        super().__init__(field_name, label=label, **kwargs)
        extend_schema_field({**self.schema, "description": label})(cast("Any", self))


class RowFilter(Filter):
    """Rows with one value in one column, for which no index is relied on."""

    def narrow(self, rows: QuerySet[Any], value: Any) -> Narrowed:
        return self.filter(rows, value), None


class TextFilter(RowFilter):
    """Text, as it is kept."""

    field_class = expected.TextField


class LowerFilter(TextFilter):
    """Text that is kept in lower case."""

    def narrow(self, rows: QuerySet[Any], value: str) -> Narrowed:
        return self.filter(rows, value.lower()), None


class PatternFilter(TextFilter):
    """An event name, or a pattern of names."""

    field_class = expected.PatternField

    def narrow(self, rows: QuerySet[Event], value: str) -> Narrowed:
        return cast("EventQuerySet", rows).named(value), None


class FlagFilter(RowFilter):
    """Whether something is so."""

    field_class = expected.FlagField
    schema: ClassVar = {"type": "boolean"}


class RecordNumberFilter(RowFilter):
    """Index: superoffice_event_record."""

    field_class = expected.NumberField
    schema: ClassVar = {"type": "integer", "format": "int64"}

    def narrow(self, rows: QuerySet[Event], value: int) -> Narrowed:
        of_number = Event.objects.filter(primary_key=value)
        return rows.filter(primary_key=value), few(of_number.order_by("primary_key", "entity"))


class StatusFilter(RowFilter):
    """Few events are pending, or failed. Index: superoffice_event_status."""

    field_class = expected.StatusField
    schema: ClassVar = {"type": "string", "enum": Event.Status.values}

    def narrow(self, rows: QuerySet[Event], value: str) -> Narrowed:
        of_status = Event.objects.filter(status=value).order_by("status", "received_at")
        return rows.filter(status=value), few(of_status)


class ConditionFilter(RowFilter):
    """By rows that belong to events."""

    def condition(self, value: Any) -> Condition:
        raise NotImplementedError

    def narrow(self, rows: QuerySet[Event], value: Any) -> Narrowed:
        return self.condition(value).narrow(rows)


class ReceiverFilter(ConditionFilter):
    """By a receiver that ran."""

    field_class = expected.TextField

    def condition(self, value: str) -> Condition:
        return Ran(value)


class AnyChangedFilter(ConditionFilter):
    """By changed fields: any of them."""

    field_class = expected.NamesField
    schema: ClassVar = _NAMES

    def condition(self, value: tuple[str, ...]) -> Condition:
        return Changed(value)


class AllChangedFilter(RowFilter):
    """By changed fields: all of them."""

    field_class = expected.NamesField
    schema: ClassVar = _NAMES

    def narrow(self, rows: QuerySet[Event], value: tuple[str, ...]) -> Narrowed:
        keys: set[int] | None = None
        for name in value:
            rows, found = Changed((name,)).narrow(rows)
            keys = _common(keys, found)
        return rows, keys


class EventIdFilter(RowFilter):
    """An EventId, or how it begins. Index: superoffice_event_once."""

    field_class = expected.EventIdField

    def narrow(self, rows: QuerySet[Event], value: expected.Range) -> Narrowed:
        of_id = {"event_id__gte": value.first, "event_id__lte": value.last}
        found = Event.objects.filter(**of_id).order_by("event_id", "name", "endpoint")
        return rows.filter(**of_id), few(found)


class MomentFilter(Filter):
    """An end of the time asked for."""

    field_class = expected.MomentField
    schema: ClassVar = {"type": "string", "format": "date-time"}


class OrderFilter(Filter):
    """Says in which direction the list goes."""

    field_class = expected.OrderField
    schema: ClassVar = {"type": "string", "enum": [NEWEST_FIRST, OLDEST_FIRST]}


class ReceivedFilterSet(django_filters.FilterSet):
    """Filters of a table in the order of receipt."""

    since = MomentFilter(label="Received then or later.")
    until = MomentFilter(label="Received before.")
    ordering = OrderFilter(
        label=f"`{NEWEST_FIRST}` (newest first, unless said otherwise) or `{OLDEST_FIRST}`."
    )

    @property
    def newest_first(self) -> bool:
        """Which direction is asked for."""
        return bool(self.form.cleaned_data["ordering"] != OLDEST_FIRST)

    def asked(self) -> Asked:
        """The rows that are asked for; to be called when the values are known to be right."""
        given = {k: v for k, v in self.form.cleaned_data.items() if v not in EMPTY_VALUES}
        scope = rows = self._received(given.get("since"), given.get("until"))
        keys: set[int] | None = None
        for name, value in given.items():
            if isinstance(one := self.filters[name], RowFilter):
                rows, found = one.narrow(rows, value)
                keys = _common(keys, found)
        return Asked(scope, rows, keys)

    def _received(self, since: Any, until: Any) -> QuerySet[Any]:
        ends = {"received_at__gte": since, "received_at__lt": until}
        given = {lookup: moment for lookup, moment in ends.items() if moment is not None}
        rows = cast("QuerySet[Any]", self.queryset)
        return rows.filter(**given) if given else rows


class EventFilterSet(ReceivedFilterSet):
    """What events can be filtered by."""

    event = PatternFilter("name", max_length=100, label="An event name, or a pattern: `ticket.*`.")
    entity = LowerFilter(max_length=100, label="`ticket`, `list.category`.")
    primary_key = RecordNumberFilter(label="The number of the record.")
    tenant = TextFilter(max_length=100, label="A tenant: `Cust12345`.")
    status = StatusFilter(label="Where in its life the event is.")
    changed = AnyChangedFilter(label="A changed field; if repeated, any of them.")
    changed_all = AllChangedFilter(label="A changed field; if repeated, all of them.")
    endpoint = TextFilter(max_length=50, label="The endpoint that it was delivered to.")
    webhook = TextFilter("webhook_name", max_length=255, label="The webhook that delivered it.")
    own = FlagFilter("is_own", label="Whether we caused it ourselves.")
    receiver = ReceiverFilter(max_length=255, label="The dotted path of a receiver that ran.")
    search = EventIdFilter(label="An EventId, or at least 4 of the digits it begins with.")

    class Meta:
        model = Event
        fields: tuple[str, ...] = ()


class RejectionFilterSet(ReceivedFilterSet):
    """What rejections can be filtered by."""

    endpoint = TextFilter(max_length=50, label="The endpoint that it was delivered to.")
    reason = TextFilter(max_length=200, label="Why it made no event.")
    verified = FlagFilter(label="Whether it was signed.")

    class Meta:
        model = Rejection
        fields: tuple[str, ...] = ()


class Filtering(DjangoFilterBackend):
    """Shows the filters of a list, to the schema and to people; the list itself applies them."""

    def to_html(self, request: HttpRequest, queryset: QuerySet[Any], view: Any) -> str:
        """The form of the browsable API, if the project has django-filter's templates."""
        if not apps.is_installed("django_filters"):
            return ""
        return str(super().to_html(request, queryset, view))


def _common(keys: set[int] | None, found: set[int] | None) -> set[int] | None:
    if keys is None or found is None:
        return found if keys is None else keys
    return keys & found
