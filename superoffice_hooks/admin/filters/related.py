"""Filters by rows that belong to an event: its changed fields, the runs of its receivers."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...models import ChangedField, Event, ReceiverRun
from ...narrowing import Changed, Condition, Ran
from ...signals import connected
from ...values import storable_text
from ...vocabulary import split
from .typed import TypedFilter


class NamingFilter(TypedFilter):
    """Names the events it leaves, by an index that other rows have, if they are few."""

    @property
    def condition(self) -> Condition:
        """What is asked for."""
        raise NotImplementedError

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        left, keys = self.condition.narrow(events)
        self.is_few = keys is not None
        return left


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

    @property
    def condition(self) -> Condition:
        return Changed((self.text,))


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
        return {receiver.path for receiver in connected()}

    @property
    def condition(self) -> Condition:
        return Ran(self.text, self.outcome)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield choice | {
                "outcomes": ReceiverRun.Outcome.choices,
                "outcome": self.outcome,
            }
