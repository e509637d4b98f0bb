"""The steps of a claimed row in its queue: begin, finish, postpone, give back. See ``queue``."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.utils import timezone

from .. import conf
from . import queue
from .clock import NOW, InSeconds, in_seconds
from .event import Event
from .queued import Queued
from .updating import SQL, Update, run


@dataclass(slots=True, eq=False, kw_only=True)
class Step(Update):
    """A step of a claimed event or gathering. It applies if this process still has the claim."""

    row: Queued
    counts: int = 0
    """How many attempts it adds to the instance's."""

    @property
    def applied(self) -> bool:
        """Return whether it applied, once it has run."""
        return self.rows > 0

    def apply(self, *others: "Step") -> bool:
        """Take the step, and others together with it; return whether it applied."""
        run(connections[queue.using()], [self, *others])
        return self.applied

    def uncount(self) -> None:
        """Let the step also subtract the attempt, because no receiver was called in it."""
        self.columns = {"attempts": SQL("attempts - 1"), **self.columns}
        self.counts -= 1

    def settle(self) -> None:
        """Note in the instance what was stored, or that the claim is lost."""
        if not self.applied:
            self.row.claim = None
            return
        self.row.attempts += self.counts
        if "next_attempt_at" in self.columns:
            self.row.claimed_at = time.monotonic()
        for name, value in self.columns.items():
            if isinstance(value, InSeconds):
                setattr(self.row, name, timezone.now() + value.delta)
            elif not isinstance(value, SQL):
                setattr(self.row, name, value)


def begin(row: Queued, *, calling: str, alone: bool) -> Step:
    """Return the step that counts an attempt; to be committed before a receiver is called.

    Args:
        row: one that this process has claimed.
        calling: the dotted path of the first receiver.
        alone: whether this process calls nothing else meanwhile. If it dies, this row is at fault.
    """
    # If no column with an index changes, PostgreSQL writes to no index (a HOT update).
    renewed = {} if is_fresh(row) else _renewed()
    return _step(
        row,
        counts=1,
        attempts=SQL("attempts + 1"),
        alone=alone,
        begun_at=NOW,
        begun_by=queue.this_process(),
        calling=calling[:255],
        **renewed,
    )


def is_fresh(row: Queued) -> bool:
    """Return whether a claim is so new that it need not be renewed yet."""
    every = conf.current().LEASE_SECONDS / queue.RENEWALS_PER_LEASE
    return time.monotonic() - row.claimed_at < every


def renew(row: Queued) -> Step:
    """Return the step that renews a claim, if this process still has it."""
    return _step(row, **_renewed())


def _renewed() -> dict[str, Any]:
    return {"next_attempt_at": in_seconds(conf.current().LEASE_SECONDS)}


def finish(event: Event, status: Event.Status) -> Step:
    """Return the step that takes an event out of the queue.

    An event that waits for gatherings leaves the queue, too, but is not finished.
    """
    finished: dict[str, Any] = {} if status == Event.Status.WAITING else {"finished_at": NOW}
    return _leave(event, status=status, **finished, next_attempt_at=None)


def postpone(row: Queued, seconds: float, *, alone: bool = False) -> Step:
    """Return the step that ends a claim; the row is due again after so many seconds.

    ``alone`` is whether the next attempt is made alone: a process died during an attempt, and none
    has ended since then.
    """
    return _leave(row, alone=alone, next_attempt_at=InSeconds(seconds))


def break_off(row: Queued, seconds: float, *, counts: bool = False, alone: bool = False) -> Step:
    """Return the step that ends an attempt that was broken off through no fault of a receiver.

    Args:
        row: one that this process has begun.
        seconds: after how many it is due again.
        counts: whether the attempt stays counted, because receivers were called in it.
        alone: whether the next attempt is made alone, as this one was.
    """
    columns: dict[str, Any] = {} if counts else {"attempts": SQL("attempts - 1")}
    columns |= {"alone": alone, "next_attempt_at": InSeconds(seconds)}
    return _leave(row, counts=0 if counts else -1, **columns)


def lose(row: Queued, seconds: float) -> Step:
    """Return the step that ends an attempt whose database session died, as if its process had.

    If the attempt was alone, that counts as a death. Otherwise a receiver that always ends its
    session would be called for ever.
    """
    deaths = SQL("deaths + CASE WHEN alone THEN 1 ELSE 0 END")
    return _leave(row, alone=True, next_attempt_at=InSeconds(seconds), deaths=deaths)


def forget_deaths(event: Event) -> Step:
    """Return the step that sets the deaths to 0, because their receiver gets a failed run."""
    return _step(event, deaths=0)


def give_back(claimed: Iterable[Queued]) -> None:
    """End claims on rows that were not begun; each is due when it was due before.

    What the claim has stored about an earlier attempt, such as a death, stays.
    """
    for row in claimed:
        step = _step(row, next_attempt_at=row.due_at, claim=None)
        step.condition += " AND begun_at IS NULL"
        step.apply()


def end(row: Queued, seconds: float) -> None:
    """End the claim of a row after an error: as ``lose`` if it had begun, or give it back.

    Both are tried, because the instance may differ from the row: a step may have been rolled back.
    """
    claim = row.claim
    give_back([row])
    row.claim = claim
    lose(row, seconds).apply()


def hand_back(
    row: Queued, claim: int | None, seconds: float, *, counts: bool = False, alone: bool = False
) -> None:
    """End a claim through no fault of a receiver: break the attempt off, or give the row back.

    Both are tried, as in ``end``. For the arguments see ``break_off``.
    """
    row.claim = claim
    give_back([row])
    row.claim = claim
    break_off(row, seconds, counts=counts, alone=alone).apply()


def _leave(row: Queued, *, counts: int = 0, alone: bool = False, **columns: Any) -> Step:
    # These columns come last, because MariaDB would compute the others from their new values.
    return _step(row, counts=counts, **columns, claim=None, alone=alone, begun_at=None, calling="")


def _step(row: Queued, *, counts: int = 0, **columns: Any) -> Step:
    # If the claim is known to be lost, the step applies to no row.
    return Step(
        model=type(row),
        columns=columns,
        keys=[row.pk],
        condition="claim = %s",
        values=[queue.LOST if row.claim is None else row.claim],
        row=row,
        counts=counts,
    )
