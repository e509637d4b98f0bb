"""Conditions on events. To read the events that meet one takes no scan of all events."""

from typing import Any, cast

from django.db.models import OuterRef, Q, QuerySet, Subquery

from .. import ChangedField, ChangeSet, Event, ReceiverRun
from ..event_queryset import EventQuerySet
from ..run_queryset import ReceiverRunQuerySet
from .pages import MAX_KEYS, keys_of

Narrowed = tuple[QuerySet[Any], set[int] | None]
"""Rows that meet a condition, and their keys, if there are up to MAX_KEYS of them."""


class Condition:
    """A condition on events. Two conditions of one class with the same values are equal."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, vars(self).values()))})"

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        """Return those of the events that meet it; and the keys of all that do, if known."""
        raise NotImplementedError

    def select(self, events: QuerySet[Event], up_to: int | None) -> QuerySet[Event]:
        """Return those of the events that meet it, for a caller that reads all of them.

        ``up_to`` is the highest key among the events.
        """
        return self.narrow(events)[0]


class Where(Condition):
    """A comparison of columns. ``index`` has the columns of an index that finds the events."""

    def __init__(self, test: Q, index: tuple[str, ...] = ()) -> None:
        self.test = test
        self.index = index

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        keys = None
        if self.index:
            keys = keys_of(Event.objects.using(events.db).filter(self.test).order_by(*self.index))
        return events.filter(self.test), keys

    def select(self, events: QuerySet[Event], up_to: int | None) -> QuerySet[Event]:
        return events.filter(self.test)


class Named(Condition):
    """An event name, or a pattern of names."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        return cast("EventQuerySet", events).named(self.pattern), None


class Unsuperseded(Condition):
    """No newer event of the same record."""

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        return cast("EventQuerySet", events).unsuperseded(), None


class StillFailed(Condition):
    """Still failed in a failure group: the last run of the group's receiver is in it."""

    def __init__(self, group: int) -> None:
        self.group = group

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        runs = self._runs(events.db).order_by("group_id", "counts_in_group", "event_id")
        keys = keys_of(runs, "event_id")
        # Not with a subquery for each event, as in Related: the index has only these runs.
        if keys is None:
            return self.select(events, None), None
        return events.filter(pk__in=keys), keys

    def select(self, events: QuerySet[Event], up_to: int | None) -> QuerySet[Event]:
        return _with_runs(events, self._runs(events.db), up_to)

    def _runs(self, using: str) -> QuerySet[ReceiverRun]:
        return ReceiverRun.objects.using(using).filter(group=self.group, counts_in_group=True)


class Related(Condition):
    """A condition on rows of another table. An index of that table has the keys of events."""

    def keys(self, using: str) -> set[int] | None:
        """Return the keys of all events that meet it; None if there are more than MAX_KEYS."""
        raise NotImplementedError

    def rows_of_event(self, using: str) -> QuerySet[Any]:
        """Return the rows because of which an event (OuterRef) meets it."""
        raise NotImplementedError

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        keys = self.keys(events.db)
        if keys is not None:
            return events.filter(pk__in=keys), keys
        # A subquery for each event. A database may turn Exists, or IN, into a join, and then it
        # would read all events with the value.
        row = Subquery(self.rows_of_event(events.db).order_by().values("pk")[:1])
        alias = f"condition_{len(events.query.annotations)}"
        return events.alias(**{alias: row}).filter(**{f"{alias}__isnull": False}), None


class Changed(Related):
    """Any of these fields changed."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def keys(self, using: str) -> set[int] | None:
        # Keys instead of joins, here and below: databases know how frequent each key is.
        change_sets = keys_of(self._links(using), "changeset_id")
        if change_sets is None:
            return None
        events = Event.objects.using(using).filter(change_set__in=change_sets)
        return keys_of(events.order_by("change_set_id"))

    def rows_of_event(self, using: str) -> QuerySet[Any]:
        return self._links(using).filter(changeset=OuterRef("change_set"))

    def select(self, events: QuerySet[Event], up_to: int | None) -> QuerySet[Event]:
        fields = self._fields(events.db).values("pk")
        links = ChangeSet.fields.through.objects.using(events.db).filter(changedfield__in=fields)
        change_sets: Any = keys_of(links, "changeset_id")
        if change_sets is None:
            change_sets = links.values("changeset")
        return events.filter(change_set__in=change_sets)

    def _links(self, using: str) -> QuerySet[Any]:
        """Return the links between change sets and the fields of these names."""
        keys = list(self._fields(using).values_list("pk", flat=True)[:MAX_KEYS])
        return ChangeSet.fields.through.objects.using(using).filter(changedfield__in=keys)

    def _fields(self, using: str) -> QuerySet[ChangedField]:
        names = [name.lower() for name in self.names]
        return ChangedField.objects.using(using).filter(name__in=names)


class Ran(Related):
    """A receiver ran and ended with this outcome. One of the two may be empty, which means any."""

    def __init__(self, receiver: str, outcome: str = "") -> None:
        self.receiver = receiver
        self.outcome = outcome

    def keys(self, using: str) -> set[int] | None:
        if not self.receiver:
            return None
        return keys_of(self._runs(using).order_by("outcome", "event_id"), "event_id")

    def rows_of_event(self, using: str) -> QuerySet[Any]:
        return self._runs(using).filter(event=OuterRef("pk"))

    def select(self, events: QuerySet[Event], up_to: int | None) -> QuerySet[Event]:
        return _with_runs(events, self._runs(events.db), up_to)

    def _runs(self, using: str) -> QuerySet[ReceiverRun]:
        columns = {"receiver": self.receiver, "outcome": self.outcome}
        columns = {column: value for column, value in columns.items() if value}
        return ReceiverRun.objects.using(using).filter(**columns)


class Failing(Related):
    """The last run of this receiver was no success, and nobody has handled the event."""

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver

    def narrow(self, events: QuerySet[Event]) -> Narrowed:
        return super().narrow(events.exclude(status=Event.Status.HANDLED))

    def select(self, events: QuerySet[Event], up_to: int | None) -> QuerySet[Event]:
        events = events.exclude(status=Event.Status.HANDLED)
        return _with_runs(events, self._runs(events.db).failing(), up_to)

    def keys(self, using: str) -> set[int] | None:
        runs = keys_of(self._runs(using).order_by("outcome", "event_id"))
        if runs is None:
            return None
        last = ReceiverRun.objects.using(using).filter(pk__in=runs).failing()
        return set(last.values_list("event_id", flat=True))

    def rows_of_event(self, using: str) -> QuerySet[Any]:
        return self._runs(using).failing().filter(event=OuterRef("pk"))

    def _runs(self, using: str) -> ReceiverRunQuerySet:
        """Return the runs of the receiver that were no success, the last ones or not."""
        return ReceiverRun.objects.using(using).filter(
            receiver=self.receiver, outcome__in=ReceiverRun.UNSUCCESSFUL
        )


def _with_runs(
    events: QuerySet[Event], runs: QuerySet[ReceiverRun], up_to: int | None
) -> QuerySet[Event]:
    """Return those of the events that have one of these runs."""
    if up_to is not None:
        # A database does not know this from the condition on the events.
        runs = runs.filter(event__lte=up_to)
    return events.filter(pk__in=runs.order_by().values("event"))
