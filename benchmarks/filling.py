"""Millions of events, as fast as PostgreSQL copies rows."""

from django.db import connection, transaction

from superoffice_hooks.models import ChangeSet, Event

TEMPLATES = 40
EVENTS_PER_RECORD = 10
_BATCH = 250_000

_WHEN = "now() - (%(count)s - n) * make_interval(days => %(days)s) / %(count)s"
# Ids are random, as SuperOffice's are: an index grows otherwise when they come in order.
_VALUES = {
    "event_id": "gen_random_uuid()",
    "primary_key": "floor(random() * %(records)s)",
    "received_at": _WHEN,
    "occurred_at": _WHEN,
    "status": "'succeeded'",
    "attempts": "1",
    "next_attempt_at": "NULL",
    "finished_at": _WHEN,
    # A few lists of changed fields are frequent, most are not.
    "change_set_id": "(%(change_sets)s::bigint[])[1 + floor(random() ^ 3 * %(templates)s)]",
}


def fill(count: int, days: int) -> None:
    """Copy the stored events until there are so many, spread over so many days, oldest first."""
    change_sets = _change_sets()
    event = Event._meta
    columns = [str(field.column) for field in event.concrete_fields if not field.primary_key]
    values = ", ".join(_VALUES.get(column, f"template.{column}") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(id) FROM {event.db_table}")
        (newest,) = cursor.fetchone()
        for start in range(0, count, _BATCH):
            cursor.execute(
                f"INSERT INTO {event.db_table} ({', '.join(columns)})"
                f" SELECT {values} FROM generate_series(%(start)s, %(end)s) AS n"
                f" JOIN {event.db_table} AS template ON template.id = %(newest)s",
                {
                    "count": count,
                    "days": days,
                    "records": max(count // EVENTS_PER_RECORD, 1),
                    "change_sets": change_sets,
                    "templates": TEMPLATES,
                    "start": start + 1,
                    "end": min(start + _BATCH, count),
                    "newest": newest,
                },
            )
        cursor.execute("VACUUM ANALYZE")


@transaction.atomic
def _change_sets() -> list[int]:
    """So many lists of changed fields, the tenth part of them with the priority."""
    sets = [
        ChangeSet.objects.for_names(
            "ticket", ["id", "last_changed", f"x_{n}", *(["priority"] if n % 10 == 0 else [])]
        )
        for n in range(TEMPLATES)
    ]
    return [change_set.pk for change_set in sets if change_set]
