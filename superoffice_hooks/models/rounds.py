"""The rounds of a gathering: after a call, the next round begins, or the gathering ends."""

from typing import Any

from django.db import connections

from . import queue, updating
from .gathering import Gathering
from .updating import SQL, Deletion, Update


def note_called(gathering: Gathering, events: int, batch: int | None, *, is_last: bool) -> bool:
    """Subtract events that were called from a claimed gathering; return False if the claim is lost.

    After the last of them, the next round begins with the events that have joined meanwhile. If
    there are none, the gathering ends.
    """
    columns: dict[str, Any] = {}
    if is_last:
        connection = connections[queue.using()]
        least = "MIN" if connection.vendor == "sqlite" else "LEAST"
        due = f"{least}(quiet_at, call_by)"
        if batch is not None:
            due = f"CASE WHEN events - {events:d} >= {batch:d} THEN last_event_at ELSE {due} END"
        columns = {"next_attempt_at": SQL(due), "attempts": 0, "deaths": 0, "alone": False}
        columns |= {"begun_at": None, "calling": "", "claim": None}
    columns["events"] = SQL(f"events - {events:d}")
    token = queue.LOST if gathering.claim is None else gathering.claim
    row = Update(Gathering, columns, [gathering.pk], "claim = %s", [token])
    end = Deletion(Gathering, {}, [gathering.pk], "events <= 0 AND claim IS NULL")
    if is_last:
        _lock_as_joining_does(gathering)
    updating.run(connections[queue.using()], [row, end] if is_last else [row])
    return row.rows > 0


def _lock_as_joining_does(gathering: Gathering) -> None:
    """On MariaDB, lock a gathering that may be deleted: by its unique key, then by its primary key.

    A DELETE locks the entries of the row in the other order. That could be a deadlock with an event
    that joins.
    """
    if connections[queue.using()].vendor == "mysql":
        names = ("receiver", "tenant", "entity", "primary_key")
        key = {name: getattr(gathering, name) for name in names}
        rows = queue.rows(Gathering).filter(**key).order_by().select_for_update()
        list(rows.values_list("pk", flat=True))
