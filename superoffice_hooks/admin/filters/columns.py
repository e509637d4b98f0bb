"""Filters by what a column of the events has."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...models import ChangedField, Event
from ...models.event import EventQuerySet
from ..reach import Reaching
from .typed import TypedFilter

NEWEST = 1000
"""So many events are asked for what was sent: to ask all of them would be a scan."""


class StatusFilter(Reaching, admin.SimpleListFilter):
    """By status."""

    title = _("status")
    parameter_name = "status__exact"
    in_order = True

    @property
    def is_on(self) -> bool:
        return bool(self.value())

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return Event.Status.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(status=self.value()) if self.is_on else queryset


class OwnFilter(Reaching, admin.SimpleListFilter):
    """By whose doing it was."""

    title = _("who caused it")
    parameter_name = "own"

    @property
    def is_on(self) -> bool:
        return self.value() in ("yes", "no")

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("yes", _("we ourselves")), ("no", _("somebody else"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(is_own=self.value() == "yes") if self.is_on else queryset


class SeenFilter(TypedFilter):
    """Offers the values that a column of the newest events has."""

    column: ClassVar[str]

    def names(self, request: HttpRequest) -> Iterable[str]:
        return _seen(request)[self.column]

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        return events.filter(**{self.column: self.text})


class NameFilter(SeenFilter):
    """By event name, or by a pattern: ``ticket.*``."""

    title = _("event name")
    parameter_name = column = "name"

    @property
    def in_order(self) -> bool:  # type: ignore[override]
        """No index knows patterns."""
        return "*" not in self.text

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        return cast("EventQuerySet", events).named(self.text)


class EntityFilter(SeenFilter):
    """By entity."""

    title = _("entity")
    parameter_name = column = "entity"

    def names(self, request: HttpRequest) -> Iterable[str]:
        """Those of the newest events, and all that ever named a changed field."""
        known = ChangedField.objects.order_by("entity").values_list("entity", flat=True)
        return {*super().names(request), *known.distinct()[:NEWEST]}

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        return events.filter(entity=self.text.lower())


class TenantFilter(SeenFilter):
    """By tenant."""

    title = _("tenant")
    parameter_name = column = "tenant"
    in_order = True


class EndpointFilter(SeenFilter):
    """By endpoint."""

    title = _("endpoint")
    parameter_name = column = "endpoint"
    in_order = True


class WebhookFilter(SeenFilter):
    """By the webhook that delivered the event first."""

    title = _("webhook")
    parameter_name = "webhook"
    column = "webhook_name"


def _seen(request: HttpRequest) -> dict[str, set[str]]:
    """The values in the newest events, by column: one query for all filters of a page."""
    if not hasattr(request, "_superoffice_seen"):
        columns = ("name", "entity", "tenant", "endpoint", "webhook_name")
        values: dict[str, set[str]] = defaultdict(set)
        for row in Event.objects.order_by("-received_at").values(*columns)[:NEWEST]:
            for column, value in row.items():
                values[column].add(value)
        request._superoffice_seen = values  # type: ignore[attr-defined]
    return request._superoffice_seen  # type: ignore[attr-defined,no-any-return]
