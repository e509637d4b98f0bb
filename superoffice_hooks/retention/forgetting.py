"""Forget: delete what deliveries said of a person, and keep that something happened.

An event keeps its identity, its record, its times, the names of its changed fields and its status.
Its values, bodies, headers, errors, tracebacks and what people wrote about it are deleted. An
unfinished event is left alone, because its receivers still need its values.
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
from .pruning import Batch, Step, replace_examples

FORGOTTEN = "(forgotten)"
"""The text that replaces an error, or what a person wrote."""

NOTE = "What it said was forgotten on request."
"""The text that is added to the problems of an event."""

_BATCH = 500
"""How many rows are emptied in one transaction."""

_FINISHED = Q(next_attempt_at=None) & ~Q(status=Event.Status.WAITING)
"""Finished events: no receiver needs their values any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to forget: what deliveries said of a record, or before a time, or both."""

    entity: str = ""
    primary_key: int | None = None
    tenant: str = ""
    before: datetime | None = None
    """Only what was received before this time; None for any time."""

    @property
    def is_of_record(self) -> bool:
        """Return whether it is about one record."""
        return self.primary_key is not None

    @property
    def until(self) -> datetime:
        """Return the time before which it was received."""
        return self.before or timezone.now()

    def steps(self) -> list[Step]:
        """Return the steps in the database."""
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
        """Return whether a body that made no event may be about the record.

        Such a body cannot be read as an event. So it counts if it has the number of the record and
        the name of the entity in it.
        """
        if self.primary_key is None:
            return True
        # In UTF-16, each of these characters has a NUL beside it.
        text = body.replace(b"\0", b"").lower()
        has_number = re.search(rb"(?<!\d)%d(?!\d)" % self.primary_key, text)
        return bool(has_number) and self.entity.lower().encode() in text

    def _finished(self) -> QuerySet[Event]:
        return self._events().filter(_FINISHED)

    def _events(self) -> QuerySet[Event]:
        return Event.objects.filter(**self._columns())

    def _columns(self) -> dict[str, Any]:
        """Return the columns that its events have in common, with their values."""
        columns: dict[str, Any] = {}
        if self.is_of_record:
            columns = {"entity": self.entity, "primary_key": self.primary_key}
        return columns | {"tenant": self.tenant} if self.tenant else columns

    def _replays(self) -> QuerySet[Replay]:
        """Return the replays of these events alone."""
        selects = Q()
        if self.is_of_record:
            # A replay without runs counts by its criteria.
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
        """Return the condition: the row has runs, by this column of them, all of these events."""
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


def forget(request: Request) -> Iterator[Batch]:
    """Forget, each batch in a transaction of its own; yield the result of each.

    First the spool of this machine is drained, so that nothing of the record is stored later.
    """
    for _event in deliveries.drain():
        pass
    for step in request.steps():
        yield from step.prune(_BATCH)
    yield _forget_set_aside(request)


def set_aside(request: Request) -> list[Path]:
    """Return the files to forget among those that are set aside in the spool of this machine."""
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
    """Return how many replays are unfinished: they may still store an error of the record."""
    return Replay.objects.filter(finished_at=None).count()


def left_in_spool() -> int:
    """Return how many deliveries wait in the spool of this machine: they may be of the record."""
    return spool.standing().length


def _forget_reasons(rows: QuerySet[Any], _keys: Collection[int]) -> None:
    rows.update(reason=FORGOTTEN)


def _empty_events(events: QuerySet[Any], keys: Collection[int]) -> None:
    """Delete values, bodies, headers and errors of events, and of their redeliveries and runs."""
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
        # What stays of the payload says nothing of a person, except the number of the record.
        event.payload = identity_of(event.payload)
        event.body, event.headers, event.associate_id = b"", {}, None
        event.handled_reason = FORGOTTEN if event.handled_reason else ""
        event.problems = [problem for problem in event.problems if problem != NOTE] + [NOTE]
        event.pruned_at = event.pruned_at or now
    columns = ["payload", "body", "headers", "associate_id", "handled_reason", "problems"]
    Event.objects.using(events.db).bulk_update(emptied, [*columns, "pruned_at"], batch_size=100)


def _empty_shared(runs: QuerySet[ReceiverRun]) -> None:
    """Delete the errors of runs of other events that were in one call with these runs.

    All runs of a call have the same error.
    """
    together = runs.exclude(with_event=None).exclude(error="")
    columns = ("receiver", "outcome", "started_at", "with_event")
    for call in together.order_by().values_list(*columns).distinct():
        same = ReceiverRun.objects.using(runs.db).filter(**dict(zip(columns, call, strict=True)))
        same.update(error=FORGOTTEN, traceback="")
