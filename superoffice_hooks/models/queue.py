"""The queue: the events that are not finished. ``steps`` move an event through it.

One column is the queue. ``next_attempt_at`` says when an event may be claimed, by the database's
clock; claiming moves it a lease into the future, and finishing clears it::

    stored ──→ due ──take──→ claimed ──begin──→ running ──finish──→ succeeded, failed, skipped
                ↑               │                  │
                ├───give back───┘                  │ a receiver raised: due again later
                ├────────────postpone──────────────┤
                └──────the lease has ended─────────┘ its process is gone: "death"

A claim is a random token. Each step compares it and returns whether it applied. So a process that
has lost the claim changes nothing and reports nothing. An attempt is counted when it begins, just
before the first call of a receiver. So if a process dies, the events that it had claimed and not
begun go back unchanged.

An event that had begun and is due again has outlived its process. That does not prove that it
ended the process: the event of another lane may have done so. So from then on it is called
``alone``, and only the ``deaths`` of an event that ran alone count.

Gatherings have a queue of their own, with the same columns and the same steps. An event that only
waits for the gatherings that it has joined has left the queue of events.
"""

import os
import secrets
import socket
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from django.db import connections, router
from django.db.models import QuerySet

from .. import conf
from .clock import NOW, in_seconds
from .event import Event
from .event_queryset import EventQuerySet
from .queued import Queued
from .transactions import own_transaction
from .updating import update

new_token = partial(secrets.randbits, 63)
"""Returns a random token for a claim."""

LOST = -1
"""No claim has this token."""

RENEWALS_PER_LEASE = 3
"""How often a claim is renewed during one lease."""


def using() -> str:
    """Return the alias of the queue's database: the one that a router writes to."""
    return router.db_for_write(Event)


def events() -> EventQuerySet:
    """Return the events, from the database of the queue."""
    return Event.objects.using(using())


@cache
def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()[:60]


@cache
def this_process() -> str:
    """Return the name of this process, as ``begun_by`` shows it."""
    return f"{host()} pid {os.getpid()}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=this_process.cache_clear)


def place_of_new() -> dict[str, Any]:
    """Return the columns of a new event that is not begun yet."""
    settings = conf.current()
    # The task queue dispatches it. If that loses it, the event is due after a lease.
    is_task = settings.DISPATCH == "task"
    return {"next_attempt_at": in_seconds(settings.LEASE_SECONDS if is_task else 0)}


def place_begun(*, alone: bool = False) -> dict[str, Any]:
    """Return the columns of a new event whose first attempt begins at once, in this process.

    ``alone`` means the same as in ``steps.begin``.
    """
    return {
        "alone": alone,
        "next_attempt_at": in_seconds(conf.current().LEASE_SECONDS),
        "claim": new_token(),
        "attempts": 1,
        "begun_at": NOW,
        "begun_by": this_process(),
    }


def rows(model: type[Queued]) -> QuerySet[Any]:
    """Return the events, or the gatherings, from the database of the queue."""
    return model._default_manager.using(using())


def due(model: type[Queued]) -> QuerySet[Any]:
    """Return the rows that may be claimed now, the longest due first."""
    return rows(model).filter(next_attempt_at__lte=NOW).order_by("next_attempt_at", "pk")


def renew(claims: Mapping[int, int | None], model: type[Queued] = Event) -> int:
    """Renew claims, by the rows' primary keys, for another lease; return how many were renewed.

    A locked row is skipped where the database can: its lane is concluding it now. A session that
    holds one row while it waits for another could be in a deadlock with that lane.
    """
    features = connections[using()].features
    columns = {"next_attempt_at": in_seconds(conf.current().LEASE_SECONDS)}
    renewed = 0
    for token in {token for token in claims.values() if token is not None}:
        keys = [key for key, of in claims.items() if of == token]
        with own_transaction(using()):
            if features.has_select_for_update_skip_locked:
                # An INSERT of a run locks its event, too; this lock does not wait for that one.
                no_key = features.has_select_for_no_key_update
                free = rows(model).filter(pk__in=keys, claim=token)
                locked = free.select_for_update(skip_locked=True, no_key=no_key)
                keys = list(locked.values_list("pk", flat=True))
            renewed += update(model, columns, keys, "claim = %s", [token])
    return renewed


def hurry(event: Event) -> bool:
    """Make an event that was not begun due at once, because it was delivered again.

    If it is claimed, the process that has claimed it may be dead.
    """
    rows = update(
        Event,
        {"next_attempt_at": NOW, "claim": None},
        [event.pk],
        "attempts = 0 AND begun_at IS NULL AND next_attempt_at IS NOT NULL",
    )
    return bool(rows)


def revive(event: Event) -> bool:
    """Make a failed event due at once for one more attempt, because it was delivered again."""
    columns = {
        "status": Event.Status.PENDING,
        "next_attempt_at": NOW,
        "finished_at": None,
        "deaths": min(event.deaths, conf.current().MAX_ATTEMPTS - 1),
    }
    return bool(
        update(Event, columns, [event.pk], "status = %s AND next_attempt_at IS NULL", ["failed"])
    )
