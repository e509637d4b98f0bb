"""Backlogs of due work, on any database: events of ours, and jobs of those we are compared with."""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from superoffice_hooks.models import Event
from superoffice_hooks.wire.samples import notification

from .measuring import ingest

RECORDS = 20_000
LONG_DUE = timedelta(hours=1)
"""Longer than the times are apart at which a backlog's events are due."""

# By vendor: a GUID, and a time so many milliseconds later.
_GUIDS = {
    "postgresql": "gen_random_uuid()",
    "mysql": "replace(uuid(), '-', '')",
    "sqlite": "lower(hex(randomblob(16)))",
}
_LATER = {
    "postgresql": "timestamptz '{}' + ({}) * interval '1 millisecond'",
    "mysql": "timestamp '{}' + INTERVAL (({}) * 1000) MICROSECOND",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', '{}', (({}) / 1000.0) || ' seconds')",
}


# What is copied may have been dispatched. Some of these columns are an older version's.
_FRESH = {
    "attempts": "0",
    "deaths": "0",
    "claim": "NULL",
    "claimed_until": "NULL",
    "begun_at": "NULL",
    "begun_by": "''",
    "calling": "''",
}


def due(count: int, *, finished: int = 0, hot: bool = False, records: int = RECORDS) -> None:
    """Bring the due events to so many, and those that are finished to so many at least.

    They are of many records, or of so many, or of one that is hot.
    """
    if not Event.objects.exists():
        ingest("store only", 1)
        # One of the records that the copies are of.
        Event.objects.update(primary_key=0)
    unfinished = Event.objects.filter(next_attempt_at__isnull=False)
    record = "primary_key" if hot else f"({{number}} * 7919) % {records}"
    _copy(finished - Event.objects.count(), record, is_due=False)
    _copy(count - unfinished.count(), record, is_due=True)
    analyze(Event)


def _copy(count: int, record: str, *, is_due: bool) -> None:
    """Store so many events as copies of those that are stored."""
    table = Event._meta.db_table
    fields = [field for field in Event._meta.concrete_fields if not field.primary_key]
    columns = [str(field.column) for field in fields]
    begun = f"{timezone.now() - LONG_DUE:%Y-%m-%d %H:%M:%S}"
    done = 0
    while done < count:
        more = min(Event.objects.count(), count - done)
        number = f"{done} + row_number() OVER (ORDER BY id)"
        time = _LATER[connection.vendor].format(begun, number)
        values = _FRESH | {
            "event_id": _GUIDS[connection.vendor],
            "primary_key": record.format(number=f"({number})"),
            "status": "'pending'" if is_due else "'succeeded'",
            "next_attempt_at": time if is_due else "NULL",
            "finished_at": "NULL" if is_due else time,
        }
        copied = ", ".join(values.get(column, column) for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {copied} FROM {table}"
                f" ORDER BY id LIMIT {more}"
            )
        done += more


def procrastinated(count: int) -> None:
    """Bring the waiting jobs of procrastinate to so many."""
    from procrastinate.contrib.django.models import ProcrastinateJob  # noqa: PLC0415

    from .contenders.procrastinated import write_one_row  # noqa: PLC0415

    have = ProcrastinateJob.objects.filter(status="todo").count()
    jobs: list[Any] = [{"event": notification("ticket.changed")} for _ in range(count - have)]
    write_one_row.batch_defer(*jobs)
    analyze(ProcrastinateJob)


def tasked(count: int) -> None:
    """Bring the waiting tasks of django-tasks-db to so many."""
    from django_tasks_db.models import DBTaskResult  # noqa: PLC0415

    from .contenders.tasked import write_one_row  # noqa: PLC0415

    have = DBTaskResult.objects.ready().count()
    with transaction.atomic():
        for _ in range(count - have):
            write_one_row.enqueue(event=notification("ticket.changed"))
    analyze(DBTaskResult)


def analyze(model: type[Model]) -> None:
    """Let the database know how many rows there are."""
    command = {"postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE", "sqlite": "ANALYZE"}
    with connection.cursor() as cursor:
        cursor.execute(f"{command[connection.vendor]} {model._meta.db_table}")
        if cursor.description:
            cursor.fetchall()
