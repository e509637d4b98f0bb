"""Prune: delete what is past retention, a batch at a time.

Of events that are done, first the bodies, headers and tracebacks are deleted, and later the rows,
with their receiver runs and redeliveries. The payload stays as long as the row, because values,
differences and replays are read from it. These stay: events in the queue; failed events, unless
RETENTION has a period for them; change sets; and rows that cannot be pruned, for example because a
row of the project protects them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db import DatabaseError, IntegrityError, connections, router
from django.db.models import Exists, OuterRef, ProtectedError, Q, QuerySet, RestrictedError
from django.db.models.signals import post_delete, pre_delete
from django.utils import timezone

from ..models import Event, FailureGroup, ReceiverRun, Redelivery, Rejection, Replay
from ..models.transactions import in_own_transaction
from ..wire.logs import get_logger

logger = get_logger(__name__)

_DELETED = "(deleted)"
"""The error that a failure group shows once all its runs are deleted."""


class Batch(NamedTuple):
    """The result of one batch, which has a transaction of its own."""

    what: str
    """One of RETAINED, "replays" or "groups"."""
    pruned: int
    """The number of rows that were pruned."""
    kept: tuple[str, ...] = ()
    """The rows that cannot be pruned, each with the reason."""


def steps(periods: Mapping[str, timedelta]) -> list["Step"]:
    """Return the steps after which nothing is older than its period. Keys are those of RETAINED.

    Rows are deleted first, so that none is emptied before it is deleted.
    """
    now = timezone.now()
    limits = {what: now - period for what, period in periods.items()}
    planned: list[Step] = []
    if until := limits.get("events"):
        done = Event.objects.filter(status__in=Event.DONE, next_attempt_at=None)
        planned += [Step("events", done, until, act=delete_events)]
    if until := limits.get("failed"):
        failed = Event.objects.filter(status=Event.Status.FAILED, next_attempt_at=None)
        planned += [Step("failed", failed, until, act=delete_events)]
    if until := limits.get("events"):
        # A replay stays as long as it has runs. An unfinished one has no finished_at, so it stays.
        with_runs = ReceiverRun.objects.filter(replay=OuterRef("pk"))
        replays = Replay.objects.filter(~Exists(with_runs))
        planned += [Step("replays", replays, until, column="finished_at")]
        of_group = ReceiverRun.objects.filter(group=OuterRef("pk"))
        groups = FailureGroup.objects.filter(~Exists(of_group))
        planned += [Step("groups", groups, until, column="last_seen")]
    if until := limits.get("bodies"):
        whole = Event.objects.received_between(limits.get("events"), None).filter(pruned_at=None)
        # The index begins with pruned_at, so events without a body are not read.
        events = whole.filter(status__in=Event.DONE, next_attempt_at=None)
        planned += [Step("bodies", events, until, act=empty, same=("pruned_at",))]
    if until := limits.get("rejections"):
        planned += [Step("rejections", Rejection.objects.all(), until)]
    return planned


def prune(planned: Iterable["Step"], batch: int) -> Iterator[Batch]:
    """Run the steps, each batch in a short transaction of its own; yield the result of each.

    The caller may wait between two batches as long as it likes.
    """
    for step in planned:
        yield from step.prune(batch)


def delete(rows: QuerySet[Any], _keys: Collection[int]) -> None:
    """Delete rows, and the rows that refer to them.

    Django collects them, so that foreign keys and signal receivers of the project count too. It
    reads only the keys, unless a signal of Django's must send whole rows.
    """
    if not any(signal.has_listeners(rows.model) for signal in (pre_delete, post_delete)):
        rows = rows.only("pk")
    rows.delete()


def delete_events(events: QuerySet[Any], keys: Collection[int]) -> None:
    """Delete events. No failure group shows the error of one of their runs any more."""
    runs = ReceiverRun.objects.using(events.db).filter(event__in=keys)
    replace_examples(runs, keys, otherwise=_DELETED)
    delete(events, keys)


def replace_examples(runs: QuerySet[ReceiverRun], events: Collection[int], otherwise: str) -> None:
    """Let no failure group show the error of one of these runs.

    It shows the error of a run of another event instead, or ``otherwise`` if it has none.

    Args:
        runs: the runs that go.
        events: the primary keys of their events.
        otherwise: the text if the group has no other error.
    """
    of_group = runs.exclude(group=None).order_by().values_list("group", "error").distinct()
    for group, error in of_group:
        shown = FailureGroup.objects.using(runs.db).filter(pk=group, error=error)
        if not shown.exists():
            continue
        others = ReceiverRun.objects.using(runs.db).filter(group=group).exclude(event__in=events)
        other = others.exclude(error=error).order_by().values_list("error", flat=True)[:1]
        shown.update(error=next(iter(other), otherwise))


def empty(events: QuerySet[Any], keys: Collection[int]) -> None:
    """Delete bodies, headers and tracebacks of events, and the bodies of their redeliveries."""
    again = Redelivery.objects.using(events.db).filter(event__in=keys)
    again.exclude(body=None).update(body=b"")
    runs = ReceiverRun.objects.using(events.db).filter(event__in=keys)
    runs.exclude(traceback="").update(traceback="")
    events.update(body=b"", headers={}, pruned_at=timezone.now())


@dataclass(frozen=True, slots=True)
class Step:
    """One step: rows of one table that are past retention, and the function that prunes them."""

    what: str
    """One of RETAINED, or what follows the events: "replays" and "groups"."""
    rows: QuerySet[Any]
    until: datetime
    """Older rows are past retention."""
    column: str = "received_at"
    """The column with the age of a row; it has an index."""
    act: Callable[[QuerySet[Any], Collection[int]], None] = delete

    same: tuple[str, ...] = ()
    """The columns before it in the index, which are equal in all rows."""

    def past_retention(self) -> QuerySet[Any]:
        """Return the rows that are past retention, the oldest first."""
        using = router.db_for_write(self.rows.model)
        rows = self.rows.using(using).filter(**{f"{self.column}__lt": self.until})
        # PostgreSQL uses the index only if those columns are part of the order, MariaDB only if
        # they are not.
        same = self.same if connections[using].vendor == "postgresql" else ()
        return rows.order_by(*same, self.column, "pk")

    def prune(self, batch: int) -> Iterator[Batch]:
        """Run the step; yield the result of each batch."""
        rows = self.past_retention()
        while ages := dict(rows.values_list("pk", self.column)[:batch]):
            yield self._prune_batch(ages)
            # Go on after the last row. From the oldest, the entries of deleted rows, which stay in
            # an index for a while, would be read again, and rows that are kept would never end.
            pk, age = list(ages.items())[-1]
            later = Q(pk__gt=pk) | Q(**{f"{self.column}__gt": age})
            rows = self.past_retention().filter(later, **{f"{self.column}__gte": age})

    def _prune_batch(self, ages: dict[int, datetime]) -> Batch:
        """Prune these rows together; if one of them cannot be pruned, each half of them."""
        try:
            return Batch(self.what, self._prune_together(ages))
        except Exception as error:
            # The database is away or busy, so no row is at fault.
            if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
                raise
            if len(ages) == 1:
                return Batch(self.what, 0, (self._reason(next(iter(ages)), error),))
        items = iter(ages.items())
        first = self._prune_batch(dict(islice(items, len(ages) // 2)))
        second = self._prune_batch(dict(items))
        return Batch(self.what, first.pruned + second.pruned, first.kept + second.kept)

    def _reason(self, key: int, error: Exception) -> str:
        """Return which row cannot be pruned, and the reason."""
        row = f"{self.rows.model.__name__} {key}"
        match error:
            case ProtectedError(protected_objects=rows) | RestrictedError(restricted_objects=rows):
                labels = sorted({row._meta.label for row in rows})
                return f"{row} is protected by {', '.join(labels)}"
            case IntegrityError():
                return f"the database keeps {row}: another table refers to it"
        logger.error("%s cannot be pruned", row, exc_info=error)
        return f"{row} cannot be pruned: {type(error).__name__}"

    def _prune_together(self, ages: dict[int, datetime]) -> int:
        """Prune the rows that are still past retention and that no other process works on.

        They are locked first, so that no process can claim them. They are locked by their keys
        alone, because MariaDB locks each index entry that it reads. SQLite cannot lock rows. There,
        no other process writes between the first read of a transaction and its end.
        """
        using = router.db_for_write(self.rows.model)
        rows = self.rows.model._default_manager.using(using)
        skips = connections[using].features.has_select_for_update_skip_locked

        def prune() -> int:
            free = rows.filter(pk__in=ages).order_by("pk").select_for_update(skip_locked=skips)
            locked = list(free.values_list("pk", flat=True))
            # The range leaves no row out. It limits how much of an index is read.
            within = {f"{self.column}__range": (min(ages.values()), max(ages.values()))}
            past = self.past_retention().filter(pk__in=locked, **within)
            if keys := list(past.values_list("pk", flat=True)):
                self.act(rows.filter(pk__in=keys), keys)
            return len(keys)

        return in_own_transaction(using, prune)
