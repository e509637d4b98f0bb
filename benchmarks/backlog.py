"""Backlogs of due work, on any database: events of ours, and jobs of those we are compared with."""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, Model

from superoffice_hooks.models import Event
from superoffice_hooks.samples import notification

from .measuring import ingest

RECORDS = 20_000
LONG_DUE = timedelta(hours=1)
"""Longer than the times are apart at which a backlog's events are due."""

# By vendor: a GUID, and the time that is so many milliseconds after a template's.
_GUIDS = {
    "postgresql": "gen_random_uuid()",
    "mysql": "replace(uuid(), '-', '')",
    "sqlite": "lower(hex(randomblob(16)))",
}
_LATER = {
    "postgresql": "next_attempt_at + {} * interval '1 millisecond'",
    "mysql": "next_attempt_at + INTERVAL ({} * 1000) MICROSECOND",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', next_attempt_at, ({} / 1000.0) || ' seconds')",
}
_NUMBER = "row_number() OVER (ORDER BY id)"


def due(count: int, *, hot: bool = False) -> None:
    """Bring the due events to so many: of many records, or of one that is hot."""
    unfinished = Event.objects.filter(next_attempt_at__isnull=False)
    have = unfinished.count()
    if have < count:
        table = Event._meta.db_table
        if not have:
            ingest("store only", 1)
            have = unfinished.update(next_attempt_at=F("next_attempt_at") - LONG_DUE)
        with connection.cursor() as cursor:
            while have < count:
                more = min(have, count - have)
                cursor.execute(_copy(table, more, hot=hot))
                have += more
    analyze(Event)


def _copy(table: str, count: int, *, hot: bool) -> str:
    """The statement that stores due events anew, each of them due after all that are."""
    number = f"({_NUMBER})"
    values = {
        "event_id": _GUIDS[connection.vendor],
        "next_attempt_at": _LATER[connection.vendor].format(number),
        "primary_key": "primary_key" if hot else f"(id * 7919) % {RECORDS}",
    }
    fields = [field for field in Event._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(str(field.column) for field in fields)
    copied = ", ".join(values.get(str(field.column), str(field.column)) for field in fields)
    return (
        f"INSERT INTO {table} ({columns}) SELECT {copied} FROM {table}"
        f" WHERE next_attempt_at IS NOT NULL ORDER BY id LIMIT {count}"
    )


def procrastinated(count: int) -> None:
    """Bring the waiting jobs of procrastinate to so many."""
    from procrastinate.contrib.django.models import ProcrastinateJob  # noqa: PLC0415

    from .contenders.procrastinated import write_one_row  # noqa: PLC0415

    have = ProcrastinateJob.objects.filter(status="todo").count()
    write_one_row.batch_defer(*({"event": notification("ticket.changed")},) * (count - have))
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
        cursor.fetchall() if cursor.description else None
