"""The filters of the event list.

Each offers what was really sent, for the vocabulary of events is open; each lives here alone, so
that it can find its choices more cheaply without anybody else noticing.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import ChangedField, Event
from ..models.event import EventQuerySet
from ..vocabulary import split


class SeenFilter(admin.SimpleListFilter):
    """Offers the values that a column of the events has."""

    parameter_name: str
    """The column, too."""

    def seen(self) -> QuerySet[Event, str]:
        """The values, each once."""
        column = self.parameter_name
        return Event.objects.order_by(column).values_list(column, flat=True).distinct()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices; what is asked for is one of them, even if no event has it any more."""
        values = {*self.seen(), self.value() or ""} - {""}
        return [(value, value) for value in sorted(values)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events with the value asked for."""
        value = self.value()
        return queryset.filter(**{self.parameter_name: value}) if value else queryset


class NameFilter(SeenFilter):
    """By event name; a URL may also ask for a pattern: ``?name=ticket.*``."""

    title = _("event name")
    parameter_name = "name"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events whose names match."""
        value = self.value()
        return cast("EventQuerySet", queryset).named(value) if value else queryset


class EntityFilter(SeenFilter):
    """By entity."""

    title = _("entity")
    parameter_name = "entity"


class TenantFilter(SeenFilter):
    """By tenant."""

    title = _("tenant")
    parameter_name = "tenant"
    NEWEST = 1000

    def seen(self) -> QuerySet[Event, str]:
        """The tenants of the newest events: no index has all tenants, so all would be a scan."""
        older = Event.objects.order_by("-pk").values_list("pk", flat=True)[self.NEWEST :].first()
        return super().seen().filter(pk__gt=older or 0)


class ChangedFieldFilter(admin.SimpleListFilter):
    """By changed field, typed: a tenant has hundreds of them, too many for a list of links."""

    title = _("changed field")
    parameter_name = "changed"
    template = "admin/superoffice_hooks/event/changed_field_filter.html"
    OTHER_LIST: ClassVar = (PAGE_VAR, parameter_name)
    """Parameters that do not survive a change of this filter."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The fields known; of one entity, if the list is filtered down to one."""
        fields = ChangedField.objects.order_by("name").values_list("name", flat=True).distinct()
        entity = request.GET.get("entity") or split(request.GET.get("name", ""))[0]
        if entity and "*" not in entity:
            fields = fields.filter(entity=entity.replace("\x00", ""))
        return [(name, name) for name in fields]

    def has_output(self) -> bool:
        """Always: an entity whose fields nobody knows yet is no reason to drop what was asked."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events whose list has the field."""
        value = (self.value() or "").strip()
        return cast("EventQuerySet", queryset).changed(value) if value else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the template needs: the names to choose from, and the list's other parameters."""
        yield {
            "value": self.value() or "",
            "names": [name for name, _ in self.lookup_choices],
            "others": [
                (key, value)
                for key, values in changelist.filter_params.items()
                if key not in self.OTHER_LIST
                for value in values
            ],
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }
