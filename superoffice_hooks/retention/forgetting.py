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

from django.db.models import Q, QuerySet
from django.utils import timezone

from ..models import Event, FailureGroup, Handling, ReceiverRun, Redelivery, Rejection
from ..receiving import deliveries, spool
from ..wire.body import KEYS_OF_EVENT
from .pruning import Batch, Step

FORGOTTEN = "(forgotten)"
"""Takes the place of an error."""

NOTE = "What it said was forgotten on request."
"""Is added to the problems of an event."""

_FINISHED = Q(next_attempt_at=None) & ~Q(status=Event.Status.WAITING)
"""Events whose receivers need what they say no more."""


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
        has_number = re.search(rb"(?<!\d)%d(?!\d)" % self.primary_key, body)
        return bool(has_number) and self.entity.lower().encode() in body.lower()

    def _finished(self) -> QuerySet[Event]:
        return self._events().filter(_FINISHED)

    def _events(self) -> QuerySet[Event]:
        events = Event.objects.all()
        if self.is_of_record:
            events = events.filter(entity=self.entity, primary_key=self.primary_key)
        return events.filter(tenant=self.tenant) if self.tenant else events

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


def _empty_events(events: QuerySet[Any], keys: Collection[int]) -> None:
    """Empty events, their redeliveries and their runs of what deliveries and receivers said."""
    Redelivery.objects.using(events.db).filter(event__in=keys).exclude(body=None).update(body=b"")
    runs = ReceiverRun.objects.using(events.db).filter(event__in=keys)
    # A group has the error of one of its runs.
    for group, error in runs.exclude(group=None).values_list("group", "error").distinct():
        groups = FailureGroup.objects.using(events.db).filter(pk=group, error=error)
        groups.update(error=FORGOTTEN)
    runs.exclude(error="").update(error=FORGOTTEN)
    runs.exclude(traceback="").update(traceback="")
    Handling.objects.using(events.db).filter(event__in=keys).update(reason=FORGOTTEN)
    now = timezone.now()
    emptied = list(events)
    for event in emptied:
        # None of these says anything of a person but a record's number.
        kept = set(KEYS_OF_EVENT) & event.payload.keys()
        event.payload = {key: event.payload[key] for key in kept}
        event.body, event.headers, event.associate_id = b"", {}, None
        event.handled_reason = FORGOTTEN if event.handled_reason else ""
        event.problems = [problem for problem in event.problems if problem != NOTE] + [NOTE]
        event.pruned_at = event.pruned_at or now
    columns = ["payload", "body", "headers", "associate_id", "handled_reason", "problems"]
    Event.objects.using(events.db).bulk_update(emptied, [*columns, "pruned_at"], batch_size=100)
