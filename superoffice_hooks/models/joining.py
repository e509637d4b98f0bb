"""Joining: let events join the gatherings with which receivers are going to be called.

All code that locks several of these rows locks them in the same order: events by primary key, then
gatherings by their keys, then runs. So no two transactions wait for each other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..receivers import Receiver
from . import clock, queue
from .clock import NOW, InSeconds
from .due import Due
from .event import Event
from .gathering import Gathering
from .run import ReceiverRun
from .updating import update

_WAITING = {"status": Event.Status.WAITING, "next_attempt_at": None, "claim": None, "alone": False}

Joiner = tuple[Event | Due, Receiver]
"""An event, and a receiver that is going to be called for it and for others at once."""

_RUNS_AT_ONCE = 500
_IN_BULK = 10
"""From so many events of one gathering on, their runs are written with one statement."""


class ClaimLost(Exception):
    """Another process has claimed an event that this process had claimed."""


class _Key(NamedTuple):
    receiver: str
    tenant: str
    entity: str
    primary_key: int


def join(joiners: Collection[Joiner]) -> None:
    """Let events join the gatherings of their receivers, inside a transaction.

    Raises:
        IntegrityError: an event has joined already, or its receiver has succeeded.
    """
    members = defaultdict[_Key, list[Joiner]](list)
    for event, receiver in joiners:
        members[_key(event, receiver)].append((event, receiver))
    keys = sorted(members)
    rows = dict[_Key, int]()
    records = {key: members[key] for key in keys if not _is_batch(members[key])}
    for same in (records, *({key: members[key]} for key in keys if key not in records)):
        if same:
            rows |= _open(same)
    bulk = {key for key in keys if len(members[key]) >= _IN_BULK}
    for key in sorted(bulk):
        _write(key, [event.pk for event, _receiver in members[key]], rows[key])
    runs = [
        ReceiverRun.joining(key.receiver, rows[key], event_id=event.pk, attempt=event.attempts)
        for key in keys
        if key not in bulk
        for event, _receiver in members[key]
    ]
    ReceiverRun.objects.using(queue.using()).bulk_create(runs, batch_size=_RUNS_AT_ONCE)


def leave_queue(events: Collection[Event]) -> None:
    """Let claimed events leave the queue and wait for gatherings, inside a transaction.

    Raises:
        ClaimLost: another process has claimed one of them.
    """
    for token in {event.claim for event in events}:
        keys = sorted(event.pk for event in events if event.claim == token)
        claimed = [queue.LOST if token is None else token]
        if update(Event, _WAITING, keys, "claim = %s", claimed) < len(keys):
            raise ClaimLost


def wait(events: Collection[int]) -> None:
    """Let locked events, by primary key, leave the queue and wait for gatherings."""
    update(Event, _WAITING, sorted(events))


def _write(key: _Key, events: Collection[int], gathering: int) -> None:
    """Write the runs of many events that have joined one gathering, in one statement."""
    connection = connections[queue.using()]
    run = ReceiverRun.joining(key.receiver, gathering, event_id=0, attempt=0)
    columns, values, parameters = list[str](), list[str](), list[Any]()
    for field in run._meta.concrete_fields:
        if field.primary_key:
            continue
        columns.append(connection.ops.quote_name(str(field.column)))
        own = {"event_id": "id", "attempt": "attempts"}.get(field.attname)
        values.append(own or "%s")
        if own is None:
            parameters.append(field.get_db_prep_save(getattr(run, field.attname), connection))
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(run._meta.db_table)} ({', '.join(columns)})"  # noqa: S608
            f" SELECT {', '.join(values)} FROM {quote(Event._meta.db_table)}"
            f" WHERE id IN ({', '.join(map(str, events))}) ORDER BY id",
            parameters,
        )


def _is_batch(members: list[Joiner]) -> bool:
    return members[0][1].options.batch is not None


def _key(event: Event | Due, receiver: Receiver) -> _Key:
    """Return the key of the gathering; ``Gathering`` says what its columns have."""
    if receiver.options.batch is not None:
        return _Key(receiver.path, "", "", 0)
    if event.primary_key is None:
        return _Key(receiver.path, "", "", -event.pk)
    return _Key(receiver.path, event.tenant, event.entity, event.primary_key)


def _open(members: dict[_Key, list[Joiner]]) -> dict[_Key, int]:
    """Open gatherings, or count the events in those that exist; return their primary keys.

    Either all are for records, or there is only one, for a batch. It locks all these rows.
    """
    connection = connections[queue.using()]
    dialect = _MySQL() if connection.vendor == "mysql" else _Standard(connection.vendor)
    table = connection.ops.quote_name(Gathering._meta.db_table)
    values = list[Any]()
    rows = [_row(connection, key, members[key], values) for key in members]
    batch = next(iter(members.values()))[0][1].options.batch
    statement = (
        f"INSERT INTO {table}{dialect.alias} ({', '.join(_COLUMNS)})"  # noqa: S608
        f" VALUES {', '.join(rows)} {dialect.on_conflict} {', '.join(_changes(dialect, batch))}"
    )
    with connection.cursor() as cursor:
        if dialect.returns:
            names = ", ".join(["id", *_Key._fields])
            cursor.execute(f"{statement} RETURNING {names}", values)
        else:
            cursor.execute(statement, values)
            _select(cursor, table, members)
        return {_Key(*key): row for row, *key in cursor.fetchall()}


_COLUMNS = (
    *_Key._fields,
    *("events", "attempts", "deaths", "alone", "begun_by", "calling", "frozen_to"),
    *("next_attempt_at", "first_event_at", "last_event_at", "quiet_at", "call_by"),
)


def _row(
    connection: BaseDatabaseWrapper, key: _Key, members: list[Joiner], values: list[Any]
) -> str:
    """Return the row of a new gathering as SQL, and add its parameters."""
    options = members[0][1].options
    if options.batch is not None:
        quiet = call_by = InSeconds(options.within or 0)
        due = NOW if len(members) >= options.batch else call_by
    else:
        quiet = due = InSeconds(min(receiver.options.settle or 0 for _, receiver in members))
        call_by = InSeconds(min(receiver.options.at_most or 0 for _, receiver in members))
    values += [*key, len(members), 0, 0, False, "", "", 0]
    times = (due, NOW, NOW, quiet, call_by)
    values += clock.parameters(times, connection)
    places = ["%s"] * (len(_COLUMNS) - len(times)) + [clock.sql(connection)] * len(times)
    return f"({', '.join(places)})"


class _Standard:
    """The SQL of PostgreSQL and SQLite for an INSERT whose row may exist."""

    alias = " AS it"
    on_conflict = f"ON CONFLICT ({', '.join(_Key._fields)}) DO UPDATE SET"
    returns = True

    def __init__(self, vendor: str) -> None:
        self.least = "MIN" if vendor == "sqlite" else "LEAST"

    def old(self, name: str) -> str:
        return f"it.{name}"

    def new(self, name: str) -> str:
        return f"excluded.{name}"


class _MySQL:
    alias = ""
    on_conflict = "ON DUPLICATE KEY UPDATE"
    returns = False
    least = "LEAST"

    def old(self, name: str) -> str:
        return name

    def new(self, name: str) -> str:
        return f"VALUES({name})"


def _changes(sql: _Standard | _MySQL, batch: int | None) -> Iterable[str]:
    """Yield the assignments for a gathering that exists, in an order that suits MariaDB.

    A gathering that is claimed keeps its time: it is due again when the call ends. One that has
    failed keeps the time of its retry. The first event since a call began is the first one of the
    next call.
    """
    old, new = sql.old, sql.new
    due = f"{sql.least}({new('quiet_at')}, {old('call_by')})"
    if batch is not None:
        is_full = f"{old('events')} + {new('events')} >= {batch:d}"
        due = f"CASE WHEN {is_full} THEN {new('first_event_at')} ELSE {due} END"
    is_held = f"{old('claim')} IS NOT NULL OR {old('attempts')} > 0"
    yield (f"next_attempt_at = CASE WHEN {is_held} THEN {old('next_attempt_at')} ELSE {due} END")
    is_next = f"{old('begun_at')} IS NOT NULL AND {old('first_event_at')} < {old('begun_at')}"
    for name in ("call_by", "first_event_at"):
        yield f"{name} = CASE WHEN {is_next} THEN {new(name)} ELSE {old(name)} END"
    yield f"last_event_at = {new('last_event_at')}"
    yield f"quiet_at = {new('quiet_at')}"
    yield f"events = {old('events')} + {new('events')}"


def _select(cursor: Any, table: str, keys: Iterable[_Key]) -> None:
    """Read the rows that an INSERT without RETURNING has written."""
    names, values = ", ".join(_Key._fields), [value for key in keys for value in key]
    places = ", ".join(["(%s, %s, %s, %s)"] * (len(values) // len(_Key._fields)))
    cursor.execute(
        f"SELECT id, {names} FROM {table} WHERE ({names}) IN ({places})",  # noqa: S608
        values,
    )
