"""The queue: the events that are not finished, and the steps from one place in it to the next.

One column is the queue. ``next_attempt_at`` says when anybody may claim an event, by the database's
clock; claiming moves it a lease into the future, and finishing clears it::

    stored ──→ due ──take──→ claimed ──begin──→ running ──finish──→ succeeded, failed, skipped
                ↑               │                  │
                ├───give back───┘                  │ a receiver raised: due again later
                ├────────────postpone──────────────┤
                └──────the lease has ended─────────┘ its process is gone: "death"

A claim is a random token. Every step compares it, and returns whether it applied: who has lost the
claim changes nothing and is to say nothing. An attempt is counted when it begins, just before the
first call of a receiver, so what was merely claimed beside an event that ended its process goes
back as it was.

An event that had begun and is due again has outlived its process. That proves no guilt: the other
lane's event may have killed it. So it is made ``alone`` from then on, and only ``deaths`` of an
event that ran alone count.
"""

import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from .. import conf
from .clock import InSeconds
from .event import Event, EventQuerySet
from .updating import SQL, Update, run, update


def using() -> str:
    """Return the alias of the database in which the queue is, whatever a router says of reads."""
    return router.db_for_write(Event)


def events() -> EventQuerySet:
    """Return the events as the queue has them."""
    return Event.objects.using(using())


@cache
def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()[:60]


def this_process() -> str:
    """Return the name of this process, as ``begun_by`` shows it."""
    return f"{host()} pid {os.getpid()}"


def new_token() -> int:
    """Return a random token for claims."""
    return secrets.randbits(63) or 1


def place(seconds: float = 0) -> dict[str, Any]:
    """Return the columns of a new event that is due so many seconds from now."""
    return {"next_attempt_at": InSeconds(seconds)}


def place_of_new() -> dict[str, Any]:
    """Return the columns of a new event that is not begun yet."""
    settings = conf.current()
    # Left to the queue of tasks; if that loses it, it is due when a lease would have ended.
    return place(settings.LEASE_SECONDS if settings.DISPATCH == "task" else 0)


def place_begun() -> dict[str, Any]:
    """Return the columns of a new event whose first attempt begins at once, in this process."""
    return {
        "next_attempt_at": InSeconds(conf.current().LEASE_SECONDS),
        "claim": new_token(),
        "attempts": 1,
        "begun_at": InSeconds(),
        "begun_by": this_process(),
    }


@dataclass(slots=True, eq=False, kw_only=True)
class Step(Update):
    """A step of a claimed event, which applies if it still is claimed by this process.

    ``settle`` brings the instance of the event in line.
    """

    event: Event
    counts: int = 0
    """How many attempts it adds to the instance's."""

    @property
    def applied(self) -> bool:
        """Whether it applied, once it has run."""
        return self.rows > 0

    def settle(self) -> None:
        """Note in the instance what was stored, or that the claim is lost."""
        if not self.applied:
            self.event.claim = None
            return
        self.event.attempts += self.counts
        for name, value in self.columns.items():
            if isinstance(value, InSeconds):
                setattr(self.event, name, timezone.now() + value.delta)
            elif not isinstance(value, SQL):
                setattr(self.event, name, value)


def apply(*steps: Step) -> bool:
    """Take steps together; return whether the first one applied."""
    run(connections[using()], steps)
    return steps[0].applied


def to_begin(event: Event, *, calling: str, alone: bool) -> Step:
    """Return the step that counts an attempt; to be committed before a receiver is called.

    Args:
        event: one that this process has claimed.
        calling: the dotted path of the first receiver.
        alone: whether this process calls nothing else meanwhile, so that its death proves guilt.
    """
    return _step(
        event,
        counts=1,
        attempts=SQL("attempts + 1"),
        alone=alone,
        begun_at=InSeconds(),
        begun_by=this_process(),
        calling=calling[:255],
        next_attempt_at=InSeconds(conf.current().LEASE_SECONDS),
    )


def to_finish(event: Event, status: Event.Status) -> Step:
    """Return the step that takes an event out of the queue."""
    return _leave(event, status=status, finished_at=InSeconds(), next_attempt_at=None)


def to_postpone(event: Event, seconds: float) -> Step:
    """Return the step that ends a claim; the event is due again so many seconds from now."""
    return _leave(event, next_attempt_at=InSeconds(seconds))


def to_give_back_begun(event: Event, seconds: float, *, counts: bool = False) -> Step:
    """Return the step that ends an attempt that was broken off by no fault of a receiver.

    ``counts`` is whether receivers were called in it, so that its number is taken.
    """
    attempts = {} if counts else {"attempts": SQL("attempts - 1")}
    return _leave(event, counts=0 if counts else -1, next_attempt_at=InSeconds(seconds), **attempts)


def begin(event: Event, *, calling: str, alone: bool) -> bool:
    """Begin an attempt; see ``to_begin``."""
    return apply(to_begin(event, calling=calling, alone=alone))


def finish(event: Event, status: Event.Status) -> bool:
    """Take an event out of the queue."""
    return apply(to_finish(event, status))


def postpone(event: Event, seconds: float) -> bool:
    """End the claim; the event is due again so many seconds from now."""
    return apply(to_postpone(event, seconds))


def give_back_begun(event: Event, seconds: float, *, counts: bool = False) -> bool:
    """End an attempt that was broken off; see ``to_give_back_begun``."""
    return apply(to_give_back_begun(event, seconds, counts=counts))


def give_back(claimed: Iterable[Event]) -> None:
    """End claims on events that were not begun; each is due as it was before.

    What it was before its claim, an earlier death included, stays written down.
    """
    for event in claimed:
        step = _step(event, next_attempt_at=event.due_at, claim=None)
        step.condition += " AND begun_at IS NULL"
        apply(step)


def lose(event: Event, seconds: float) -> bool:
    """End the claim on an attempt whose database session died, as if its process had.

    If it was alone, that counts as a death: or a receiver that always ends its session would be
    called for ever.
    """
    return apply(
        _leave(
            event,
            next_attempt_at=InSeconds(seconds),
            deaths=SQL("deaths + CASE WHEN alone THEN 1 ELSE 0 END"),
            alone=True,
        )
    )


def to_pardon(event: Event) -> Step:
    """Return the step that forgets deaths, once the receiver that caused them is given up."""
    return _step(event, deaths=0)


def renew(claims: Mapping[int, int | None]) -> int:
    """Let claims, by the events' primary keys, last for another lease; return for how many.

    A row that is locked is skipped where the database can: it is being concluded now, and who holds
    one row while it waits for another ends up in a deadlock with the lane that concludes both.
    """
    connection = connections[using()]
    features = connection.features
    columns = {"next_attempt_at": InSeconds(conf.current().LEASE_SECONDS)}
    renewed = 0
    for token in {token for token in claims.values() if token is not None}:
        keys = [key for key, of in claims.items() if of == token]
        with transaction.atomic(using=using()):
            if features.has_select_for_update_skip_locked:
                # A foreign key to the event locks it too, but not against this.
                no_key = features.has_select_for_no_key_update
                free = events().filter(pk__in=keys, claim=token)
                locked = free.select_for_update(skip_locked=True, no_key=no_key)
                keys = list(locked.values_list("pk", flat=True))
            renewed += update(Event, columns, keys, "claim = %s", [token])
    return renewed


def hurry(event: Event) -> bool:
    """Make an event due at once that nobody has begun; it was delivered again.

    Its claim, if there is one, may be that of a process that is gone.
    """
    rows = update(
        Event,
        {"next_attempt_at": InSeconds(), "claim": None},
        [event.pk],
        "attempts = 0 AND begun_at IS NULL AND next_attempt_at IS NOT NULL",
    )
    return bool(rows)


def revive(event: Event) -> bool:
    """Make a failed event due at once, for one more attempt; it was delivered again."""
    columns = {
        "status": Event.Status.PENDING,
        "next_attempt_at": InSeconds(),
        "finished_at": None,
        "deaths": min(event.deaths, conf.current().MAX_ATTEMPTS - 1),
    }
    return bool(
        update(Event, columns, [event.pk], "status = %s AND next_attempt_at IS NULL", ["failed"])
    )


def _leave(event: Event, *, counts: int = 0, **columns: Any) -> Step:
    # Last, for MariaDB: columns before may be made of what these were.
    ended: dict[str, Any] = {"claim": None, "alone": False, "begun_at": None, "calling": ""}
    last = {name: value for name, value in ended.items() if name not in columns}
    return _step(event, counts=counts, **columns, **last)


def _step(event: Event, *, counts: int = 0, **columns: Any) -> Step:
    # No token is -1, so a claim that is known to be lost applies to nothing.
    claim = -1 if event.claim is None else event.claim
    return Step(
        model=Event,
        columns=columns,
        keys=[event.pk],
        condition="claim = %s",
        values=[claim],
        event=event,
        counts=counts,
    )
