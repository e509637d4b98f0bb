"""Pruning: what is past retention goes, a batch at a time.

Of events that came out well, first goes what is only there to be looked at (body, headers,
tracebacks), and later the rows, with their receiver runs and redeliveries. The payload stays as
long as the row: values, differences and replays are read from it. What is in the queue, due or
claimed, is left alone, and so are failed events, unless they have a period of their own. Change
sets stay, and so do rows that cannot be pruned, such as those that a row of the project protects.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db import DatabaseError, IntegrityError, connections, router, transaction
from django.db.models import Exists, OuterRef, ProtectedError, Q, QuerySet, RestrictedError
from django.db.models.signals import post_delete, pre_delete
from django.utils import timezone

from .logs import get_logger
from .models import Event, ReceiverRun, Redelivery, Rejection, Replay

logger = get_logger(__name__)


class Batch(NamedTuple):
    """Rows that were tried together, in a transaction of their own."""

    what: str
    """One of RETAINED, or "replays"."""
    pruned: int
    """How many rows are pruned."""
    kept: tuple[str, ...] = ()
    """The rows that cannot be, each with the reason."""


def steps(periods: Mapping[str, timedelta]) -> list["Step"]:
    """What is to be done so that nothing is older than the periods given, for things in RETAINED.

    Rows go first, so that nothing is emptied that is deleted next.
    """
    now = timezone.now()
    until = {what: now - period for what, period in periods.items()}
    planned: list[Step] = []
    if moment := until.get("events"):
        done = Event.objects.filter(status__in=Event.DONE, next_attempt_at=None)
        planned += [Step("events", done, moment)]
    if moment := until.get("failed"):
        failed = Event.objects.filter(status=Event.Status.FAILED, next_attempt_at=None)
        planned += [Step("failed", failed, moment)]
    if moment := until.get("events"):
        # Runs of events that stay keep their replay; one that was cut short was never finished.
        with_runs = ReceiverRun.objects.filter(replay=OuterRef("pk"))
        replays = Replay.objects.filter(~Exists(with_runs))
        planned += [Step("replays", replays, moment, column="finished_at")]
    if moment := until.get("bodies"):
        whole = Event.objects.received_between(until.get("events"), None).filter(pruned_at=None)
        # What has no body any more is left out by the index.
        events = whole.filter(status__in=Event.DONE, next_attempt_at=None)
        planned += [Step("bodies", events, moment, act=empty, same=("pruned_at",))]
    if moment := until.get("rejections"):
        planned += [Step("rejections", Rejection.objects.all(), moment)]
    return planned


def prune(planned: Iterable["Step"], batch: int) -> Iterator[Batch]:
    """Do it, each batch in a short transaction of its own; yield what became of each.

    Between two batches it may be left alone for as long as one likes.
    """
    for step in planned:
        yield from step.prune(batch)


def delete(rows: QuerySet[Any], _keys: Collection[int]) -> None:
    """Delete rows, and what belongs to them.

    Django finds out what does, so that foreign keys and signal receivers of the project count too.
    It reads no more than the keys for that, unless somebody is to be shown what is deleted.
    """
    if not any(told.has_listeners(rows.model) for told in (pre_delete, post_delete)):
        rows = rows.only("pk")
    rows.delete()


def empty(events: QuerySet[Any], keys: Collection[int]) -> None:
    """Delete bodies, headers and tracebacks of events, and the bodies of their redeliveries."""
    again = Redelivery.objects.using(events.db).filter(event__in=keys)
    again.exclude(body=None).update(body=b"")
    runs = ReceiverRun.objects.using(events.db).filter(event__in=keys)
    runs.exclude(traceback="").update(traceback="")
    events.update(body=b"", headers={}, pruned_at=timezone.now())


@dataclass(frozen=True, slots=True)
class Step:
    """Rows that are past retention, and what is done with them."""

    what: str
    """One of RETAINED, or "replays", which follow the events."""
    rows: QuerySet[Any]
    until: datetime
    """What is older than this is past retention."""
    column: str = "received_at"
    """Has the age of a row, and an index."""
    act: Callable[[QuerySet[Any], Collection[int]], None] = delete

    same: tuple[str, ...] = ()
    """Columns that the index has before it, and that are the same for all rows."""

    def past_retention(self) -> QuerySet[Any]:
        """The rows, the oldest first."""
        using = router.db_for_write(self.rows.model)
        rows = self.rows.using(using).filter(**{f"{self.column}__lt": self.until})
        # PostgreSQL sees that an index has this order only if those columns are part of it, MariaDB
        # only if they are not.
        same = self.same if connections[using].vendor == "postgresql" else ()
        return rows.order_by(*same, self.column, "pk")

    def prune(self, batch: int) -> Iterator[Batch]:
        """Do it; yield what became of each batch."""
        rows = self.past_retention()
        while found := dict(rows.values_list("pk", self.column)[:batch]):
            yield self._prune_one_by_one_if_need_be(found)
            # Not from the oldest again: what was deleted stays in an index for a while, and what
            # was kept would be found for ever.
            pk, age = list(found.items())[-1]
            later = Q(pk__gt=pk) | Q(**{f"{self.column}__gt": age})
            rows = self.past_retention().filter(later, **{f"{self.column}__gte": age})

    def _prune_one_by_one_if_need_be(self, found: dict[int, datetime]) -> Batch:
        """Act on these rows together; if one of them cannot be pruned, on each half of them."""
        try:
            return Batch(self.what, self._prune_these(found))
        except Exception as error:
            # The database may be away, or busy, which is no fault of a row.
            if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
                raise
            if len(found) == 1:
                return Batch(self.what, 0, (self._reason(next(iter(found)), error),))
        items = iter(found.items())
        first = self._prune_one_by_one_if_need_be(dict(islice(items, len(found) // 2)))
        second = self._prune_one_by_one_if_need_be(dict(items))
        return Batch(self.what, first.pruned + second.pruned, first.kept + second.kept)

    def _reason(self, key: int, error: Exception) -> str:
        """Return which row cannot be pruned, and why."""
        row = f"{self.rows.model.__name__} {key}"
        match error:
            case ProtectedError(protected_objects=rows) | RestrictedError(restricted_objects=rows):
                labels = sorted({row._meta.label for row in rows})
                return f"{row} is protected by {', '.join(labels)}"
            case IntegrityError():
                return f"the database keeps {row}: another table refers to it"
        logger.error("%s cannot be pruned", row, exc_info=error)
        return f"{row} cannot be pruned: {type(error).__name__}"

    def _prune_these(self, found: dict[int, datetime]) -> int:
        """Act on those rows that are past retention still and that nobody else works on.

        They are locked first, by nothing but their keys (MariaDB locks whatever index entries it
        reads), so that nobody can claim them meanwhile. Where rows cannot be locked (SQLite),
        nobody else writes between the first read of a transaction and its end.
        """
        using = router.db_for_write(self.rows.model)
        rows = self.rows.model._default_manager.using(using)
        skips = connections[using].features.has_select_for_update_skip_locked
        with transaction.atomic(using=using):
            free = rows.filter(pk__in=found).order_by("pk").select_for_update(skip_locked=skips)
            locked = list(free.values_list("pk", flat=True))
            # The ages say nothing new, but they bound what an index is read for.
            ages = {f"{self.column}__range": (min(found.values()), max(found.values()))}
            past = self.past_retention().filter(pk__in=locked, **ages)
            if keys := list(past.values_list("pk", flat=True)):
                self.act(rows.filter(pk__in=keys), keys)
        return len(keys)
