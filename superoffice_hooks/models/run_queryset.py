"""Queries for receiver runs."""

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import OuterRef, Q, Subquery

if TYPE_CHECKING:
    from .event import Event
    from .run import ReceiverRun  # noqa: F401  (named in a string)


class ReceiverRunQuerySet(models.QuerySet["ReceiverRun"]):
    """Runs, by their outcomes."""

    def latest_by_event(self) -> dict[int, dict[str, str]]:
        """Return the outcome of each receiver's latest run, by event and receiver."""
        latest = defaultdict[int, dict[str, str]](dict)
        runs = self.order_by("pk").values_list("event_id", "receiver", "outcome")
        for event, receiver, outcome in runs:
            latest[event][receiver] = outcome
        return dict(latest)

    def still_failed(self, handled: "models.QuerySet[Event] | None" = None) -> Self:
        """Return the failed runs that are the last of their receiver for the event.

        A later run that has only joined does not count. With many runs, ``handled`` saves time: it
        has those of their events that are handled. Then only the runs of these, and those in no
        failure group, are compared with later runs; the others have ``counts_in_group``.
        """
        if handled is None:
            return self._last_failed(Q())
        rest = Q(group=None) | Q(event__in=handled.order_by().values("pk"))
        return self._last_failed(rest, known=Q(counts_in_group=True))

    def failing(self) -> Self:
        """Return those that are still failed, without those of handled events."""
        return self._last_failed(Q(group=None), known=Q(counts_in_group=True))

    def _last_failed(self, rest: Q, known: Q | None = None) -> Self:
        """Return the failed runs that meet ``known``, and those of ``rest`` that are the last."""
        later = self.model.objects.using(self.db).filter(
            event=OuterRef("event"), receiver=OuterRef("receiver"), pk__gt=OuterRef("pk")
        )
        later = later.exclude(outcome=self.model.Outcome.JOINED)
        # These outcomes, and not "all but the others", because an index has them. And a subquery
        # for each run: with Exists, PostgreSQL joins all runs.
        failed = self.filter(outcome__in=self.model.UNSUCCESSFUL)
        last = failed.alias(later=Subquery(later.order_by().values("pk")[:1]))
        # The condition that costs less comes first.
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
