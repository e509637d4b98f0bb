"""Filters by rows that belong to an event: its changed fields, the runs of its receivers."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from ...models import ChangedField, ChangeSet, Event, ReceiverRun
from ...receivers import connected
from ...replay.criteria import Criteria
from ...wire.event_names import split
from ...wire.values import storable_text
from .columns import hides_some, seen
from .typed import TypedFilter


class ChangedFieldFilter(TypedFilter, row="changed"):
    """By changed field: a tenant has hundreds of them."""

    MAX_NAMES = 2000

    def names(self, request: HttpRequest, model_admin: Any) -> Iterable[str]:
        """Return the known fields; those of one entity if the list is filtered by it.

        Where a project hides events, those of the newest events alone.
        """
        fields = ChangedField.objects.order_by("name").values_list("name", flat=True).distinct()
        if hides_some(request, model_admin):
            newest = seen(request, model_admin)["change_set"] - {None}
            links = ChangeSet.fields.through.objects.filter(changeset__in=newest)
            fields = fields.filter(pk__in=links.values("changedfield"))
        entity = request.GET.get("entity") or split(request.GET.get("name", ""))[0]
        if entity and "*" not in entity:
            fields = fields.filter(entity=storable_text(entity).strip().lower())
        return fields[: self.MAX_NAMES]


class ReceiverFilter(TypedFilter, row="receiver"):
    """By a receiver that has run, and how one of its runs ended."""

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
        """Return how a run must have ended; empty if that does not matter."""
        return self.used_parameters.get(self.OUTCOME, "").strip()

    @property
    def is_on(self) -> bool:
        return bool(self.text or self.outcome)

    @property
    def parameters(self) -> list[str]:
        return [self.parameter_name, self.OUTCOME]

    def expected_parameters(self) -> list[str | None]:
        return [*self.parameters]

    def names(self, request: HttpRequest, model_admin: Any) -> Iterable[str]:
        """Return the receivers that are connected; another can still be typed."""
        return {receiver.path for receiver in connected()}

    def criteria(self) -> Criteria:
        return Criteria(receiver=self.text, outcome=self.outcome)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield choice | {
                "outcomes": ReceiverRun.Outcome.choices,
                "outcome": self.outcome,
            }
