"""Filters by rows that belong to an event: its changed fields, the runs of its receivers."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...models import ChangedField, ChangeSet, Event, ReceiverRun
from ...signals import connected
from ...values import storable_text
from ...vocabulary import split
from ..reach import FEW, few
from .typed import TypedFilter


class NamingFilter(TypedFilter):
    """Names the events it leaves, by an index that other rows have, if they are few."""

    def found(self, events: QuerySet[Event]) -> set[int] | None:
        """The keys of all events with the value asked for; None if they are many."""
        raise NotImplementedError

    def of_each(self, events: QuerySet[Event]) -> QuerySet[Any]:
        """The rows that make one event (OuterRef) have the value asked for."""
        raise NotImplementedError

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        keys = self.found(events)
        self.is_few = keys is not None
        if keys is not None:
            return events.filter(pk__in=keys)
        # Asked of each event that is looked at. As Exists, or IN, it would be a join to a planner,
        # which might begin with the other end and read all events with the value.
        row = Subquery(self.of_each(events).order_by().values("pk")[:1])
        return events.alias(**{self.parameter_name: row}).filter(
            **{f"{self.parameter_name}__isnull": False}
        )


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
        # By their keys, here and below: planners know what is common among values, not in a join.
        change_sets = few(self._links(events), "changeset_id")
        if change_sets is None:
            return None
        having = Event.objects.using(events.db).filter(change_set__in=change_sets)
        return few(having.order_by("change_set_id"))

    def of_each(self, events: QuerySet[Event]) -> QuerySet[Any]:
        return self._links(events).filter(changeset=OuterRef("change_set"))

    def _links(self, events: QuerySet[Event]) -> QuerySet[Any]:
        """What links the fields of this name, one for each entity, to change sets."""
        fields = ChangedField.objects.using(events.db).filter(name=self.text.lower())
        keys = list(fields.values_list("pk", flat=True)[:FEW])
        return ChangeSet.fields.through.objects.using(events.db).filter(changedfield__in=keys)


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

    def of_each(self, events: QuerySet[Event]) -> QuerySet[Any]:
        return self._runs(events).filter(event=OuterRef("pk"))

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
