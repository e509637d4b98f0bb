"""Taking: due events are claimed for this process, the longest due first."""

import time
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connections, transaction

from .. import conf
from . import clock, queue, updating
from .clock import InSeconds
from .event import Event
from .updating import SQL

_FULL_LOOK_SECONDS = 30.0
"""How long events with an earlier time than those claimed last may be overlooked."""

# An event that had begun has outlived its process.
_DEATHS = SQL("deaths + CASE WHEN begun_at IS NOT NULL AND alone THEN 1 ELSE 0 END")
_ALONE = SQL("CASE WHEN begun_at IS NOT NULL THEN TRUE ELSE alone END")


class Taker:
    """Claims due events, the longest due first.

    Finished events leave entries in the index until the database cleans up, all of them before
    those that are due. So a look begins where the last one did, and at the very beginning only now
    and then, or if nothing else is due.
    """

    def __init__(self) -> None:
        self._low: datetime | None = None
        self._full_look_at = 0.0

    def take(self, most: int) -> list[Event]:
        """Claim up to so many due events for this process; nobody else gets the same ones."""
        if self._low is None or time.monotonic() > self._full_look_at:
            return self._look(most, None)
        return self._look(most, self._low) or self._look(most, None)

    def _look(self, most: int, low: datetime | None) -> list[Event]:
        if low is None:
            self._full_look_at = time.monotonic() + _FULL_LOOK_SECONDS
        taken = take(most, low=low)
        self._low = taken[0].due_at if taken else None
        return taken


def take(
    most: int, *, keys: Collection[int] | None = None, low: datetime | None = None
) -> list[Event]:
    """Claim up to so many due events for this process, the longest due first.

    Where the database can, rows that another process is about to claim are skipped instead of
    waited for.

    Args:
        most: how many events.
        keys: only these, by primary key; None for any.
        low: only events that are due at this time or later; None for any.
    """
    if keys is not None and not keys:
        return []
    if connections[queue.using()].vendor == "postgresql":
        return _take_in_one_statement(most, keys, low)
    return _take_in_one_transaction(most, keys, low)


def _take_in_one_statement(
    most: int, keys: Collection[int] | None, low: datetime | None
) -> list[Event]:
    """Claim with UPDATE … RETURNING.

    The selection is a materialised CTE: PostgreSQL may evaluate a subquery with LIMIT again.
    """
    connection = connections[queue.using()]
    conditions, values = "", list[Any]()
    if keys is not None:
        conditions, values = " AND id = ANY(%s)", [list(keys)]
    if low is not None:
        conditions, values = f"{conditions} AND next_attempt_at >= %s", [*values, low]
    time_, table = clock.sql(connection), updating.table(Event, connection)
    statement = f"""
        WITH due AS MATERIALIZED (
            SELECT id AS due_id, next_attempt_at AS due_at FROM {table}
            WHERE next_attempt_at <= statement_timestamp(){conditions}
            ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
        UPDATE {table} SET deaths = {_DEATHS}, alone = {_ALONE}, next_attempt_at = {time_},
            claim = %s, begun_at = NULL
        FROM due WHERE id = due_id RETURNING {table}.*, due_at
    """  # noqa: S608  (of our own names)
    parameters = [*values, most, conf.current().LEASE_SECONDS, queue.new_token()]
    return sorted(Event.objects.using(queue.using()).raw(statement, parameters), key=_longest_due)


def _take_in_one_transaction(
    most: int, keys: Collection[int] | None, low: datetime | None
) -> list[Event]:
    """Claim with SELECT, then UPDATE: MariaDB has no UPDATE … RETURNING."""
    due = queue.events().due()
    if keys is not None:
        due = due.filter(pk__in=keys)
    if low is not None:
        due = due.filter(next_attempt_at__gte=low)
    features = connections[queue.using()].features
    token = queue.new_token()
    with transaction.atomic(using=queue.using()):
        if features.has_select_for_update_skip_locked:
            taken = list(due.select_for_update(skip_locked=True)[:most])
        else:
            # A write comes first: SQLite waits for its lock only if nothing was read before.
            updating.update(Event, {"claim": SQL("claim")}, [-1])
            taken = list(due[:most])
        for event in taken:
            event.due_at = event.next_attempt_at
            event.deaths += event.begun_at is not None and event.alone
            event.alone = event.alone or event.begun_at is not None
            event.begun_at = None
            event.claim = token
        updating.update(
            Event,
            {
                "deaths": _DEATHS,
                "alone": _ALONE,
                "next_attempt_at": InSeconds(conf.current().LEASE_SECONDS),
                "claim": token,
                "begun_at": None,
            },
            [event.pk for event in taken],
        )
    return taken


def _longest_due(event: Event) -> tuple[datetime, int]:
    return event.due_at, event.pk
