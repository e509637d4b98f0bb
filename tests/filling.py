"""Many events, as fast as the database copies rows."""

from django.db import connection

from superoffice_hooks.models import Event

# Each event is copied; its copies come one second after the other, on records of their own.
_NUMBERS = {
    "postgresql": "SELECT n FROM generate_series(1, %s) AS n",
    "sqlite": (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT %s)"
        " SELECT n FROM numbers"
    ),
}
_EVENT_ID = {
    "postgresql": "lpad(to_hex(numbers.n::bigint * 100000 + event.id), 32, '0')::uuid",
    "sqlite": "printf('%%032x', numbers.n * 100000 + event.id)",
}
_LATER = {
    "postgresql": "event.{} + numbers.n * interval '1 second'",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', event.{}, '+' || numbers.n || ' seconds')",
}


def multiply_events(copies: int, **expressions: str) -> None:
    """Copy every event so many times, and tell the database's planner.

    The columns that are named are these expressions, which know a copy's number as ``numbers.n``.
    """
    vendor = connection.vendor
    values = {
        "event_id": _EVENT_ID[vendor],
        "primary_key": "numbers.n",
        "received_at": _LATER[vendor].format("received_at"),
        "occurred_at": _LATER[vendor].format("occurred_at"),
        **expressions,
    }
    columns = [str(field.column) for field in Event._meta.concrete_fields if not field.primary_key]
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608  (our own names)
            f" SELECT {', '.join(values.get(column, f'event.{column}') for column in columns)}"
            f" FROM {table} AS event CROSS JOIN ({_NUMBERS[vendor]}) AS numbers ORDER BY numbers.n",
            [copies],
        )
        cursor.execute("VACUUM ANALYZE" if vendor == "postgresql" else "ANALYZE")
