"""Filters by rows that belong to an event: its changed fields, the runs of its receivers."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...models import ChangedField, ChangeSet, Event, ReceiverRun
from ...models.event import EventQuerySet
from ...signals import connected
from ...values import storable_text
from ...vocabulary import split
from ..reach import few
from .typed import TypedFilter


class NamingFilter(TypedFilter):
    """Names the events it leaves, by an index that other rows have, if they are few."""

    def found(self, events: QuerySet[Event]) -> set[int] | None:
        """The keys of all events with the value asked for; None if they are many."""
        raise NotImplementedError

    def those_with(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """The same as an expression, which is quick for each event, but not for all of them."""
        raise NotImplementedError

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        keys = self.found(events)
        self.is_few = keys is not None
        return self.those_with(events) if keys is None else events.filter(pk__in=keys)


class ChangedFieldFilter(NamingFilter):
    """By changed field: a tenant has hundreds of them."""

    title = _("changed field")
    parameter_name = "changed"
    MOST_NAMES = 2000

    def names(self, request: HttpRequest) -> Iterable[str]:
        """The fields known; of one entity, if the list is filtered down to one."""
        fields = ChangedField.objects.order_by("name").values_list("name", flat=True).distinct()
        entity = request.GET.get("entity") or split(request.GET.get("name", ""))[0]
        if entity and "*" not in entity:
            fields = fields.filter(entity=storable_text(entity).strip().lower())
        return fields[: self.MOST_NAMES]

    def found(self, events: QuerySet[Event]) -> set[int] | None:
        change_sets = ChangeSet.objects.using(events.db).filter(fields__name=self.text.lower())
        # As numbers: what each of them stands for is something the planner knows.
        numbers = few(change_sets)
        if numbers is None:
            return None
        having = Event.objects.using(events.db).filter(change_set__in=numbers)
        return few(having.order_by("change_set_id"))

    def those_with(self, events: QuerySet[Event]) -> QuerySet[Event]:
        return cast("EventQuerySet", events).changed(self.text)


class ReceiverFilter(NamingFilter):
    """By a receiver that has run, and how one of its runs ended."""

    title = _("receiver")
    parameter_name = "receiver"
    template = "admin/superoffice_hooks/event/receiver_filter.html"
    OUTCOME = "outcome"

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type[Event], admin: Any
    ) -> None:
        super().__init__(request, params, model, admin)
        if self.OUTCOME in params:
            self.used_parameters[self.OUTCOME] = params.pop(self.OUTCOME)[-1]

    @property
    def outcome(self) -> str:
        """How a run must have ended; empty if that does not matter."""
        return self.used_parameters.get(self.OUTCOME, "").strip()

    @property
    def is_on(self) -> bool:
        return bool(self.text or self.outcome)

    @property
    def parameters(self) -> list[str]:
        return [self.parameter_name, self.OUTCOME]

    def expected_parameters(self) -> list[str | None]:
        return [*self.parameters]

    def names(self, request: HttpRequest) -> Iterable[str]:
        """The receivers connected now; one that has left can still be typed."""
        return {receiver.path for receiver in connected(sender=Event)}

    def found(self, events: QuerySet[Event]) -> set[int] | None:
        if not self.text:
            return None
        return few(self._runs(events).order_by("outcome", "event_id"), "event_id")

    def those_with(self, events: QuerySet[Event]) -> QuerySet[Event]:
        # Not Exists: PostgreSQL would make a join of that and read every run of the receiver.
        runs = self._runs(events).filter(event=OuterRef("pk")).order_by().values("pk")[:1]
        return events.alias(run=Subquery(runs)).filter(run__isnull=False)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield choice | {
                "outcomes": ReceiverRun.Outcome.choices,
                "outcome": self.outcome,
            }

    def _runs(self, events: QuerySet[Event]) -> QuerySet[ReceiverRun]:
        asked = {"receiver": self.text, "outcome": self.outcome}
        return ReceiverRun.objects.using(events.db).filter(
            **{column: value for column, value in asked.items() if value}
        )
