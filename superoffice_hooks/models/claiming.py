"""Claim due events, or gatherings, for this process, the longest due first."""

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from .. import conf
from . import clock, queue, updating
from .clock import InSeconds
from .event import Event
from .queued import Queued
from .transactions import in_own_transaction
from .updating import SQL


class _IsDue(Protocol):
    @property
    def due_at(self) -> Any: ...


_Row = TypeVar("_Row", bound=Queued)
_Due = TypeVar("_Due", bound=_IsDue)

_FULL_LOOK_SECONDS = 30.0
"""After how long a look begins at the first entry of the index again."""

# A row that had begun has outlived its process.
_DEATHS = SQL("deaths + CASE WHEN begun_at IS NOT NULL AND alone THEN 1 ELSE 0 END")
_ALONE = SQL("CASE WHEN begun_at IS NOT NULL THEN TRUE ELSE alone END")


class Taker(Generic[_Row]):
    """Claims due rows of one model, the longest due first.

    Finished rows leave entries in the index until the database cleans up. These stand before the
    entries of due rows. So a look begins where the last one did. It begins at the first entry only
    every 30 seconds, or if nothing else is due.
    """

    def __init__(self, model: type[_Row]) -> None:
        self._model = model
        self._low: datetime | None = None
        self._full_look_at = 0.0

    def take(self, limit: int) -> list[_Row]:
        """Claim up to ``limit`` due rows for this process alone."""
        return self.look(limit, take_rows)

    def look(self, limit: int, take: Callable[..., list[_Due]]) -> list[_Due]:
        """Return up to ``limit`` due rows as ``take`` returns them; see ``take_rows``."""
        taken: list[_Due] = []
        if self._low is not None and time.monotonic() <= self._full_look_at:
            taken = take(self._model, limit, low=self._low)
        if not taken:
            self._full_look_at = time.monotonic() + _FULL_LOOK_SECONDS
            taken = take(self._model, limit)
        self._low = taken[0].due_at if taken else None
        return taken


def take(limit: int, *, keys: Collection[int] | None = None) -> list[Event]:
    """Claim up to ``limit`` due events for this process; see ``take_rows``."""
    return take_rows(Event, limit, keys=keys)


def take_rows(
    model: type[_Row],
    limit: int,
    *,
    keys: Collection[int] | None = None,
    low: datetime | None = None,
) -> list[_Row]:
    """Claim up to ``limit`` due rows for this process, the longest due first.

    Where the database can, it skips rows that another process is about to claim, and does not wait
    for them.

    Args:
        model: Event or Gathering.
        limit: the maximum number of rows.
        keys: only these, by primary key; None for any.
        low: only rows that are due at this time or later; None for any.
    """
    if keys is not None and not keys:
        return []
    now = time.monotonic()
    if connections[queue.using()].vendor == "postgresql":
        taken = _take_in_one_statement(model, limit, keys, low)
    else:
        taken = _take_in_one_transaction(model, limit, keys, low)
    for row in taken:
        row.claimed_at = now
    return taken


def _take_in_one_statement(
    model: type[_Row], limit: int, keys: Collection[int] | None, low: datetime | None
) -> list[_Row]:
    """Claim with UPDATE … RETURNING.

    The selection is a materialised CTE: PostgreSQL may evaluate a subquery with LIMIT again.
    """
    connection = connections[queue.using()]
    conditions, values = "", list[Any]()
    if keys is not None:
        conditions, values = " AND id = ANY(%s)", [list(keys)]
    if low is not None:
        conditions, values = f"{conditions} AND next_attempt_at >= %s", [*values, low]
    time_, table = clock.sql(connection), connection.ops.quote_name(model._meta.db_table)
    statement = f"""
        WITH due AS MATERIALIZED (
            SELECT id AS due_id, next_attempt_at AS due_at FROM {table}
            WHERE next_attempt_at <= statement_timestamp(){conditions}
            ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
        UPDATE {table} SET deaths = {_DEATHS}, alone = {_ALONE}, next_attempt_at = {time_},
            claim = %s, begun_at = NULL
        FROM due WHERE id = due_id RETURNING {table}.*, due_at
    """  # noqa: S608  (of our own names)
    parameters = [*values, limit, conf.current().LEASE_SECONDS, queue.new_token()]
    return sorted(queue.rows(model).raw(statement, parameters), key=_longest_due)


def _take_in_one_transaction(
    model: type[_Row], limit: int, keys: Collection[int] | None, low: datetime | None
) -> list[_Row]:
    """Claim with SELECT, then UPDATE: MariaDB has no UPDATE … RETURNING."""
    due = queue.due(model)
    if keys is not None:
        due = due.filter(pk__in=keys)
    if low is not None:
        due = due.filter(next_attempt_at__gte=low)
    return in_own_transaction(queue.using(), lambda: _take_selected(model, due[:limit]))


def _take_selected(model: type[_Row], due: QuerySet[_Row]) -> list[_Row]:
    features = connections[queue.using()].features
    token = queue.new_token()
    if features.has_select_for_update_skip_locked:
        taken = list(due.select_for_update(skip_locked=True))
    else:
        updating.take_write_lock(model, connections[queue.using()])
        taken = list(due.all())
    lease = InSeconds(conf.current().LEASE_SECONDS)
    for row in taken:
        row.due_at, row.next_attempt_at = row.next_attempt_at, timezone.now() + lease.delta
        row.deaths += row.begun_at is not None and row.alone
        row.alone = row.alone or row.begun_at is not None
        row.begun_at = None
        row.claim = token
    updating.update(
        model,
        {
            "deaths": _DEATHS,
            "alone": _ALONE,
            "next_attempt_at": lease,
            "claim": token,
            "begun_at": None,
        },
        [row.pk for row in taken],
    )
    return taken


def _longest_due(row: Queued) -> tuple[datetime, int]:
    return row.due_at, row.pk
