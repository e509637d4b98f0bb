"""Filters by the values of a column of the events."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...models import ChangedField, Event
from ...models.paging.pages import MAX_ROWS
from ...reports import failure_groups
from ..look_back import back_to
from .rows import ChoiceFilter, LinkFilter
from .typed import TypedFilter

NEWEST = 1000
"""The number of events from which choices are read: to read all would scan the table."""

_SEEN = WeakKeyDictionary[HttpRequest, dict[str, set[Any]]]()
"""What the filters of a page have read, for as long as its request lives."""


class StatusFilter(ChoiceFilter, row="status"):
    """By status."""

    in_order = True


class OwnFilter(ChoiceFilter, row="is_own"):
    """By who caused it."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("yes", _("we ourselves")), ("no", _("somebody else"))]


class SeenFilter(TypedFilter):
    """A filter that offers the values of the newest events."""

    def names(self, request: HttpRequest, model_admin: Any) -> Iterable[str]:
        return seen(request, model_admin)[self.row.name]


class NameFilter(SeenFilter, row="name"):
    """By event name, or by a pattern: ``ticket.*``."""

    @property
    def in_order(self) -> bool:  # type: ignore[override]
        """Return whether the text is a name: no index can be used for a pattern."""
        return "*" not in self.text


class EntityFilter(SeenFilter, row="entity"):
    """By entity."""

    def names(self, request: HttpRequest, model_admin: Any) -> Iterable[str]:
        """Return the entities of the newest events, and all that have a changed field.

        Where a project hides events, those of the newest events alone.
        """
        newest = super().names(request, model_admin)
        if hides_some(request, model_admin):
            return newest
        known = ChangedField.objects.order_by("entity").values_list("entity", flat=True)
        return {*newest, *known.distinct()[:NEWEST]}


class TenantFilter(SeenFilter, row="tenant"):
    """By tenant."""

    in_order = True


class EndpointFilter(SeenFilter, row="endpoint"):
    """By endpoint."""

    in_order = True


class WebhookFilter(SeenFilter, row="webhook_name"):
    """By the webhook that delivered the event first."""


class GroupFilter(LinkFilter, row="group"):
    """By failure group. The list has all events of a group, if they are no more than MAX_ROWS."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        events = super().queryset(request, queryset)
        with suppress(ValueError):
            if self.is_on and not self.is_narrow and (group := self.criteria().group):
                self.is_narrow = failure_groups.still_failed([group])[group] <= MAX_ROWS
        return events


def hides_some(request: HttpRequest, model_admin: Any) -> bool:
    """Return whether a project's own ModelAdmin hides events from the user."""
    return bool(model_admin.get_queryset(request).query.where)


def seen(request: HttpRequest, model_admin: Any) -> dict[str, set[Any]]:
    """Return the values in the newest events, by column: one query for all filters of a page.

    Where a project hides events, one more: the visible ones are looked for among the newest
    MAX_ROWS of all.
    """
    if (known := _SEEN.get(request)) is not None:
        return known
    events = model_admin.get_queryset(request)
    if hides_some(request, model_admin) and (since := back_to(Event.objects.all())):
        events = events.filter(received_at__gte=since)
    columns = ("name", "entity", "tenant", "endpoint", "webhook_name", "change_set")
    values: dict[str, set[Any]] = defaultdict(set)
    for row in events.order_by("-received_at").values(*columns)[:NEWEST]:
        for column, value in row.items():
            values[column].add(value)
    _SEEN[request] = values
    return values
