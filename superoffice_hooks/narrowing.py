"""Narrowing: events by rows that belong to them, without reading all events that have such rows."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from .models import ChangedField, ChangeSet, Event, ReceiverRun
from .reaching import FEW, few


class Condition:
    """Names the events it leaves, by an index that other rows have, if they are few."""

    def found(self, events: QuerySet[Event]) -> set[int] | None:
        """The keys of all events that meet it; None if they are many."""
        raise NotImplementedError

    def of_each(self, events: QuerySet[Event]) -> QuerySet[Any]:
        """The rows that make one event (OuterRef) meet it."""
        raise NotImplementedError

    def narrow(self, events: QuerySet[Event]) -> tuple[QuerySet[Event], set[int] | None]:
        """Those of the events that meet it, and the keys of all that do, if they are few."""
        keys = self.found(events)
        if keys is not None:
            return events.filter(pk__in=keys), keys
        # Asked of each event that is looked at. As Exists, or IN, it would be a join to a planner,
        # which might begin with the other end and read all events with the value.
        row = Subquery(self.of_each(events).order_by().values("pk")[:1])
        alias = f"condition_{len(events.query.annotations)}"
        return events.alias(**{alias: row}).filter(**{f"{alias}__isnull": False}), None


@dataclass(frozen=True)
class Changed(Condition):
    """Any of these fields changed."""

    names: tuple[str, ...]

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
        """What links the fields of these names, one for each entity, to change sets."""
        names = [name.lower() for name in self.names]
        fields = ChangedField.objects.using(events.db).filter(name__in=names)
        keys = list(fields.values_list("pk", flat=True)[:FEW])
        return ChangeSet.fields.through.objects.using(events.db).filter(changedfield__in=keys)


@dataclass(frozen=True)
class Ran(Condition):
    """A receiver ran for it, perhaps with this outcome; one of the two may be empty."""

    receiver: str
    outcome: str = ""

    def found(self, events: QuerySet[Event]) -> set[int] | None:
        if not self.receiver:
            return None
        return few(self._runs(events).order_by("outcome", "event_id"), "event_id")

    def of_each(self, events: QuerySet[Event]) -> QuerySet[Any]:
        return self._runs(events).filter(event=OuterRef("pk"))

    def _runs(self, events: QuerySet[Event]) -> QuerySet[ReceiverRun]:
        asked = {"receiver": self.receiver, "outcome": self.outcome}
        return ReceiverRun.objects.using(events.db).filter(
            **{column: value for column, value in asked.items() if value}
        )
