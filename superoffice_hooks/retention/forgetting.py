"""Forgetting: what deliveries said of a person goes; that something happened stays.

Of an event stay its identity, its record, its times, the names of its changed fields and what came
of it. Values, bodies, headers, errors, tracebacks and what people wrote about it go. An unfinished
event is left alone, because its receivers still need what it says.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ..models import Event, FailureGroup, Handling, ReceiverRun, Redelivery, Rejection, Replay
from ..receiving import deliveries, spool
from ..wire.body import identity_of
from .examples import replace_examples
from .pruning import Batch, Step

FORGOTTEN = "(forgotten)"
"""Takes the place of an error."""

NOTE = "What it said was forgotten on request."
"""Is added to the problems of an event."""

_FINISHED = Q(next_attempt_at=None) & ~Q(status=Event.Status.WAITING)
"""Finished events: no receiver needs any more what they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be forgotten: of a record, or of everything before a time, or of both."""

    entity: str = ""
    primary_key: int | None = None
    tenant: str = ""
    before: datetime | None = None
    """Received before this time; None for any."""

    @property
    def is_of_record(self) -> bool:
        """Return whether it means one record."""
        return self.primary_key is not None

    @property
    def until(self) -> datetime:
        """Return before which time it was received."""
        return self.before or timezone.now()

    def steps(self) -> list[Step]:
        """Return what is to be done in the database."""
        until = self.until
        return [
            Step("events", self._finished(), until, act=_empty_events),
            Step("rejections", self._rejections(), until, act=self._empty_rejections),
            Step("replays", self._replays(), until, column="created_at", act=_forget_reasons),
            Step("groups", self._groups(), until, column="last_seen", act=_forget_reasons),
        ]

    def unfinished(self) -> int:
        """Return how many events are left alone because they are unfinished."""
        return self._events().filter(received_at__lt=self.until).exclude(_FINISHED).count()

    def is_in(self, body: bytes) -> bool:
        """Return whether a body that made no event may be of the record.

        Such a body cannot be read as an event, so it counts if it has the record's number and the
        name of its entity.
        """
        if self.primary_key is None:
            return True
        # UTF-16 has a NUL in each of these characters.
        text = body.replace(b"\0", b"").lower()
        has_number = re.search(rb"(?<!\d)%d(?!\d)" % self.primary_key, text)
        return bool(has_number) and self.entity.lower().encode() in text

    def _finished(self) -> QuerySet[Event]:
        return self._events().filter(_FINISHED)

    def _events(self) -> QuerySet[Event]:
        return Event.objects.filter(**self._columns())

    def _columns(self) -> dict[str, Any]:
        """Return what the columns of its events are equal to."""
        columns: dict[str, Any] = {}
        if self.is_of_record:
            columns = {"entity": self.entity, "primary_key": self.primary_key}
        return columns | {"tenant": self.tenant} if self.tenant else columns

    def _replays(self) -> QuerySet[Replay]:
        """Return the replays of these events alone."""
        selects = Q()
        if self.is_of_record:
            # A replay without a run is known by what it selects.
            selects = Q(criteria__primary_key=self.primary_key)
            selects &= Q(criteria__entity=self.entity) | Q(criteria__entity__isnull=True)
            if self.tenant:
                selects &= Q(criteria__tenant=self.tenant) | Q(criteria__tenant__isnull=True)
        has_runs = Exists(ReceiverRun.objects.filter(replay=OuterRef("pk")))
        meant = self._has_only("replay") | Q(~has_runs & selects)
        return Replay.objects.filter(meant).exclude(reason__in=("", FORGOTTEN))

    def _groups(self) -> QuerySet[FailureGroup]:
        """Return the failure groups of these events alone."""
        groups = FailureGroup.objects.filter(self._has_only("group"))
        return groups.exclude(reason__in=("", FORGOTTEN))

    def _has_only(self, column: str) -> Q:
        """Return whether a row has receiver runs, by this column, and only runs of these events."""
        runs = ReceiverRun.objects.filter(**{column: OuterRef("pk")})
        of_these = Q(**{f"event__{name}": value for name, value in self._columns().items()})
        of_these &= Q(event__received_at__lt=self.until)
        return Q(Exists(runs.filter(of_these))) & ~Q(Exists(runs.exclude(of_these)))

    def _rejections(self) -> QuerySet[Rejection]:
        return Rejection.objects.exclude(body=b"")

    def _empty_rejections(self, rejections: QuerySet[Any], _keys: Collection[int]) -> None:
        bodies = rejections.values_list("pk", "body")
        keys = [key for key, body in bodies if self.is_in(bytes(body))]
        rejections.filter(pk__in=keys).update(body=b"", headers={})


def forget(request: Request, batch: int = 500) -> Iterator[Batch]:
    """Forget it, each batch in a transaction of its own; yield what became of each.

    What is in the spool of this machine is stored first, so that none of it comes in later.
    """
    for _event in deliveries.drain():
        pass
    for step in request.steps():
        yield from step.prune(batch)
    yield _forget_set_aside(request)


def set_aside(request: Request) -> list[Path]:
    """Return the files in the spool of this machine that can never be stored and are meant."""
    place = spool.folder()
    if place is None or not (place / spool.SET_ASIDE).is_dir():
        return []
    until = request.until.timestamp()
    return [
        path
        for path in sorted((place / spool.SET_ASIDE).iterdir())
        if path.stat().st_mtime < until and request.is_in(path.read_bytes())
    ]


def _forget_set_aside(request: Request) -> Batch:
    paths = set_aside(request)
    for path in paths:
        path.unlink(missing_ok=True)
    return Batch("files", len(paths))


def under_way() -> int:
    """Return how many replays are under way, which may yet write down an error of it."""
    return Replay.objects.filter(finished_at=None).count()


def left_in_spool() -> int:
    """Return how many deliveries wait in the spool of this machine, which may be of it."""
    return spool.standing().length


def _forget_reasons(rows: QuerySet[Any], _keys: Collection[int]) -> None:
    rows.update(reason=FORGOTTEN)


def _empty_events(events: QuerySet[Any], keys: Collection[int]) -> None:
    """Empty events, their redeliveries and their runs of what deliveries and receivers said."""
    Redelivery.objects.using(events.db).filter(event__in=keys).exclude(body=None).update(body=b"")
    runs = ReceiverRun.objects.using(events.db).filter(event__in=keys)
    replace_examples(runs, keys, otherwise=FORGOTTEN)
    _empty_shared(runs)
    runs.exclude(error="").update(error=FORGOTTEN)
    runs.exclude(traceback="").update(traceback="")
    Handling.objects.using(events.db).filter(event__in=keys).update(reason=FORGOTTEN)
    now = timezone.now()
    emptied = list(events)
    for event in emptied:
        # None of it says anything of a person but a record's number.
        event.payload = identity_of(event.payload)
        event.body, event.headers, event.associate_id = b"", {}, None
        event.handled_reason = FORGOTTEN if event.handled_reason else ""
        event.problems = [problem for problem in event.problems if problem != NOTE] + [NOTE]
        event.pruned_at = event.pruned_at or now
    columns = ["payload", "body", "headers", "associate_id", "handled_reason", "problems"]
    Event.objects.using(events.db).bulk_update(emptied, [*columns, "pruned_at"], batch_size=100)


def _empty_shared(runs: QuerySet[ReceiverRun]) -> None:
    """Empty the runs of other events that a receiver was called for together with these.

    All of them have the error of that one call.
    """
    together = runs.exclude(with_event=None).exclude(error="")
    columns = ("receiver", "outcome", "started_at", "with_event")
    for call in together.order_by().values_list(*columns).distinct():
        same = ReceiverRun.objects.using(runs.db).filter(**dict(zip(columns, call, strict=True)))
        same.update(error=FORGOTTEN, traceback="")
