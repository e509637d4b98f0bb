"""The members of a gathering: the events that a call is for, and their runs."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from . import queue, updating
from .clock import NOW, InSeconds
from .event import Event
from .gathering import Gathering
from .history import COLUMNS, History
from .run import ReceiverRun
from .updating import SQL, among, update

MAX_MEMBERS = 10_000
"""How many events one call is for; the others are in the next one."""

_Outcome = ReceiverRun.Outcome


class Members:
    """The events of one gathered call, each with the run with which it has joined.

    Args:
        gathering: the gathering that they have joined.
        runs: the primary keys of their runs, by primary key of the event.
    """

    def __init__(self, gathering: Gathering, runs: Mapping[int, int]) -> None:
        self.gathering = gathering
        self.runs = dict(runs)
        self.newest = max(runs, default=0)
        """The primary key of the newest event."""
        self.is_final = False
        """Whether a failure would be final: no attempt is left, or the receiver gave up."""
        self.is_single = False
        """Whether the event of a batch stands alone: if it fails, it goes back to the queue."""
        self.errors: dict[int, BaseException] = {}
        """The errors of the events that the receiver has named, by primary key of the event."""
        self.is_concluded = True
        """Whether a success and the conclusion of the call are stored in one transaction."""
        self._was_tried = gathering.attempts > 1

    def __len__(self) -> int:
        return len(self.runs)

    def only(self, events: Collection[int]) -> "Members":
        """Return the members with these events, by primary key."""
        return Members(self.gathering, {event: self.runs[event] for event in events})

    def up_to(self, run: int) -> "Members":
        """Return the members with this run, by primary key, or an earlier one."""
        return self.only([event for event, key in self.runs.items() if key <= run])

    def lock(self) -> dict[int, tuple[str, int]]:
        """Lock the events; return status and attempts of those that still exist."""
        states = lock(self.runs)
        self._was_tried |= any(attempts for _, attempts in states.values())
        return states

    def name(self, errors: Mapping[Any, BaseException]) -> bool:
        """Note which events of a batch failed; return False if that is not clear.

        It is not clear if anything else is named, because that may stand for an event of the batch.
        """
        if self.is_single or not self.gathering.is_batch:
            return False
        named = {event.pk: error for event, error in errors.items() if isinstance(event, Event)}
        is_clear = len(named) == len(errors) > 0 and named.keys() <= self.runs.keys()
        self.errors = named if is_clear else {}
        return is_clear

    def store(self, run: ReceiverRun) -> None:
        """Write the outcome of a call into the runs, inside a transaction."""
        columns = _columns(run)
        if run.outcome == _Outcome.SUCCEEDED:
            columns |= {"with_event": self.newest, "succeeded_in": ReceiverRun.FIRST_DISPATCH}
            if self.is_concluded:
                columns["gathering"] = None
            self._joined().update(**columns)
        elif self.is_single or self.is_final:
            self.stop_counting(run.receiver)
            with_event = None if self.is_single else self.newest
            self._joined().update(**columns, with_event=with_event, gathering=None)
        else:
            self._store_retry(run, columns)

    def note(self, run: ReceiverRun) -> None:
        """Store an error with the runs, without changing their outcomes."""
        keys = [key for event, key in self.runs.items() if event not in self.errors]
        _runs().filter(pk__in=keys).update(error=run.error, traceback=run.traceback)

    def stop_counting(self, receiver: str) -> None:
        """Let earlier failures of the receiver count in no failure group any more."""
        if self._was_tried:
            earlier = _runs().filter(event__in=self.runs, receiver=receiver)
            earlier.filter(counts_in_group=True).update(counts_in_group=False)

    def forget(self) -> None:
        """Take the runs out of the gathering, because the call is concluded for their events."""
        _runs().filter(pk__in=self.runs.values()).update(gathering=None)

    def return_to_queue(self, reason: str, *, alone: bool) -> None:
        """Put the events back into the queue, for a call each, inside a transaction."""
        states = lock(self.runs)
        outcome = {"outcome": _Outcome.POSTPONED, "error": reason, "succeeded_in": None}
        self._joined().update(**outcome, with_event=self.newest, gathering=None)
        retry(states, 0, alone=alone)

    def _store_retry(self, run: ReceiverRun, columns: dict[str, Any]) -> None:
        """Write a failure into the run of the newest event, and let that event join with a new run.

        So the runs of an event are in the order in which they were made.
        """
        updating.run(connections[queue.using()], run.overtaking(queue.using()))
        row = _runs().filter(pk=self.runs[run.event_id], gathering=self.gathering)
        if row.update(**columns, with_event=self.newest, gathering=None):
            ReceiverRun.joining(
                run.receiver,
                self.gathering.pk,
                event_id=run.event_id,
                attempt=run.attempt,
                started_at=run.started_at,
            ).save(force_insert=True, using=queue.using())

    def _joined(self) -> QuerySet[ReceiverRun]:
        keys = [run for event, run in self.runs.items() if event not in self.errors]
        return _runs().filter(pk__in=among(keys), gathering=self.gathering)


def read(gathering: Gathering, limit: int) -> tuple[Members, Members]:
    """Return up to ``limit`` events to call the receiver for, and those that need a conclusion.

    For the latter it was called, and the process ended before it could store the conclusion.
    """
    runs = _runs().filter(gathering=gathering).order_by("pk")
    joined, called = dict[int, int](), dict[int, int]()
    for event, run, outcome in runs.values_list("event_id", "pk", "outcome")[:limit]:
        (joined if outcome == _Outcome.JOINED else called)[event] = run
    return Members(gathering, joined), Members(gathering, called)


def failures(members: Members, receiver: str) -> int:
    """Return how many gathered calls for these events have failed.

    It reads only runs of this round. An event may have failed for good in an earlier round, and may
    have been delivered again.
    """
    runs = _runs().filter(event__in=members.runs, receiver=receiver, replay=None)
    runs = runs.filter(attempt__lt=members.gathering.attempts)
    failed = runs.filter(outcome__in=ReceiverRun.UNSUCCESSFUL).exclude(with_event=None)
    return failed.order_by().values("attempt").distinct().count()


def lock(events: Collection[int]) -> dict[int, tuple[str, int]]:
    """Lock events, by primary key; return status and attempts of those that still exist."""
    connection = connections[queue.using()]
    if connection.vendor == "sqlite":
        updating.take_write_lock(Event, connection)
    no_key = connection.features.has_select_for_no_key_update
    rows = (
        queue.events().filter(pk__in=among(events)).order_by("pk").select_for_update(no_key=no_key)
    )
    return {key: (status, n) for key, status, n in rows.values_list("pk", "status", "attempts")}


def finish(
    states: Mapping[int, tuple[str, int]], receiver: str, outcome: str
) -> dict[str, list[int]]:
    """Finish the locked events that waited for no other receiver; return their keys by status."""
    waiting = [key for key, (status, _) in states.items() if status == Event.Status.WAITING]
    others = defaultdict[int, list[Any]](list)
    rows = _runs().filter(event__in=among(waiting)).exclude(receiver=receiver).order_by("pk")
    for event, *run in rows.values_list("event_id", *COLUMNS):
        others[event].append(tuple(run))

    @cache
    def status_after(*runs: Any) -> str:
        history = History(None, runs)
        return history.conclusion({receiver: outcome}, has_receivers=True)[0]

    keys = defaultdict[str, list[int]](list)
    for key in waiting:
        keys[status_after(*others.get(key, ()))].append(key)
    keys.pop(Event.Status.WAITING, None)
    for name, finished in keys.items():
        columns = {"status": name, "finished_at": NOW, "attempts": SQL("attempts + 1")}
        update(Event, columns, finished)
    return dict(keys)


def retry(states: Mapping[int, tuple[str, int]], seconds: float, *, alone: bool = False) -> None:
    """Put the waiting ones of these locked events back into the queue, due after some seconds."""
    waiting = [key for key, (status, _) in states.items() if status == Event.Status.WAITING]
    columns = {
        "status": Event.Status.PENDING,
        "next_attempt_at": InSeconds(seconds),
        "attempts": SQL("attempts + 1"),
        "alone": alone,
    }
    update(Event, columns, waiting)


def _columns(run: ReceiverRun) -> dict[str, Any]:
    names = ("outcome", "started_at", "duration", "attempt", "error", "traceback")
    columns = {name: getattr(run, name) for name in names}
    group = {"group": run.group_id, "counts_in_group": run.counts_in_group}
    return {**columns, **group, "succeeded_in": None}


def _runs() -> QuerySet[ReceiverRun]:
    return ReceiverRun.objects.using(queue.using())
