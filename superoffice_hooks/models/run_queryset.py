"""Queries for receiver runs."""

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import OuterRef, Q, Subquery

if TYPE_CHECKING:
    from .event import Event
    from .replay import Replay
    from .run import ReceiverRun  # noqa: F401  (named in a string)


class ReceiverRunQuerySet(models.QuerySet["ReceiverRun"]):
    """Runs, by what they were part of."""

    def of(self, event: "Event", replay: "Replay | None") -> Self:
        """Return the runs of an event's ordinary dispatch, or of one replay of it."""
        return self.filter(event=event, replay=replay)

    def settled_by_event(self) -> dict[int, dict[str, str]]:
        """Return the outcomes of receivers that need no further call, by event and receiver."""
        return self.filter(outcome__in=self.model.SETTLED).latest_by_event()

    def latest_by_event(self) -> dict[int, dict[str, str]]:
        """Return the outcome of each receiver's latest run, by event and receiver."""
        latest = defaultdict[int, dict[str, str]](dict)
        runs = self.order_by("pk").values_list("event_id", "receiver", "outcome")
        for event, receiver, outcome in runs:
            latest[event][receiver] = outcome
        return dict(latest)

    def still_failed(self, handled: "models.QuerySet[Event] | None" = None) -> Self:
        """Return the failed runs after which their event has no other call of the same receiver.

        One that has joined since is to be called again. Of many runs, ``handled`` are those of
        their events that are handled: then only the runs of these, and those in no failure group,
        are compared with later runs. Of the others it is known which ones count in their group.
        """
        if handled is None:
            return self._last_failed(Q())
        rest = Q(group=None) | Q(event__in=handled.order_by().values("pk"))
        return self._last_failed(rest, known=Q(counts_in_group=True))

    def failing(self) -> Self:
        """Return those that are still failed and that nobody has handled the event of."""
        return self._last_failed(Q(group=None), known=Q(counts_in_group=True))

    def _last_failed(self, rest: Q, known: Q | None = None) -> Self:
        """Return the failed runs that are known to be the last, and those of the rest that are."""
        later = self.model.objects.using(self.db).filter(
            event=OuterRef("event"), receiver=OuterRef("receiver"), pk__gt=OuterRef("pk")
        )
        later = later.exclude(outcome=self.model.Outcome.JOINED)
        # The words and not their opposite, for an index has them. And a subquery per run: with
        # Exists, PostgreSQL joins all runs.
        failed = self.filter(outcome__in=self.model.UNSUCCESSFUL)
        last = failed.alias(later=Subquery(later.order_by().values("pk")[:1]))
        # What costs less comes first.
        compared = rest & Q(later=None)
        return last.filter(compared if known is None else known | compared)

    def handled(self, events: Collection[int]) -> None:
        """Note that these events, by primary key, do not count in failure groups any more."""
        self.filter(event__in=events, counts_in_group=True).update(counts_in_group=False)

    def unhandled(self, events: Collection[int]) -> None:
        """Note that these events, by primary key, count again for their receivers' last runs."""
        last = self.filter(event__in=events).exclude(group=None).still_failed()
        # MariaDB updates no table that a subquery of the same statement reads.
        keys = list(last.values_list("pk", flat=True))
        self.filter(pk__in=keys).update(counts_in_group=True)
