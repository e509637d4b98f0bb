"""Two hundred thousand events and twice as many runs, written by PostgreSQL itself.

What is rare lies far back on purpose: a database that looks through the newest rows until it has a
page full would read the whole table for it.
"""

import json
from typing import Any

from django.db import connection

from superoffice_hooks.models import Event, ReceiverRun, Redelivery
from superoffice_hooks.models.paging.pages import MAX_KEYS, MAX_ROWS

EVENTS = 200_000

FILL = [
    """
    INSERT INTO superoffice_hooks_changedfield (entity, name)
    SELECT 'ticket', 'field_' || n FROM generate_series(1, 300) n
    """,
    "INSERT INTO superoffice_hooks_changeset (id) SELECT n FROM generate_series(1, 400) n",
    # Field 1 is in every set, as "updated" is; field 300 in one, and other fields in a few.
    """
    INSERT INTO superoffice_hooks_changeset_fields (changeset_id, changedfield_id)
    SELECT s.id, f.id
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM superoffice_hooks_changeset) s,
         (SELECT id, row_number() OVER (ORDER BY id) AS n FROM superoffice_hooks_changedfield) f
    WHERE f.n = 1 OR (s.n + f.n) % 50 = 0 AND f.n < 300 OR (s.n = 400 AND f.n = 300)
    """,
    """
    INSERT INTO superoffice_hooks_event (
        endpoint, event_id, name, entity, action, primary_key, tenant, webhook_name, received_at,
        payload, body, headers, problems, status, attempts, finished_at, is_own, handled_by,
        handled_reason, change_set_id
    )
    SELECT
        CASE WHEN n = 100 THEN 'old' ELSE 'default' END,
        md5(n::text)::uuid,
        entity || '.' || action, entity, action,
        CASE WHEN n % 10 = 0 THEN 0 ELSE n / 3 END,
        CASE WHEN n = 100 THEN 'Cust1' WHEN n < 30000 THEN 'Cust2' ELSE 'Cust3' END,
        CASE WHEN n = 100 THEN 'Long ago' ELSE 'Ours' END,
        now() - (200000 - n) * interval '20 seconds',
        jsonb_build_object('Changes', jsonb_build_array('field_1', 'field_2', repeat('x', 400))),
        repeat('x', 400)::bytea, '{}', '[]',
        CASE WHEN n BETWEEN 1000 AND 16000 THEN 'failed' WHEN n % 50 = 0 THEN 'skipped'
             ELSE 'succeeded' END,
        1, now(), false, '', '',
        (SELECT min(id) FROM superoffice_hooks_changeset)
            + CASE WHEN n BETWEEN 500 AND 600 THEN 399 ELSE n % 399 END
    FROM (
        SELECT n,
            CASE WHEN n BETWEEN 300 AND 320 THEN 'quote' WHEN n % 3 = 0 THEN 'sale'
                 ELSE 'ticket' END AS entity,
            CASE WHEN n BETWEEN 300 AND 320 THEN 'sent' ELSE 'changed' END AS action
        FROM generate_series(1, 200000) n
    ) events
    """,
    """
    INSERT INTO superoffice_hooks_failuregroup (
        id, fingerprint, receiver, exception, frame, error, first_seen, last_seen, state, who,
        reason, said
    )
    SELECT n, n::text, receiver, 'ValueError', 'project/x.py:f', 'ValueError', now(), now(), 'open',
        '', '', ''
    FROM (VALUES (1, 'project.mail'), (2, 'project.count')) groups (n, receiver)
    """,
    # Of the failures of project.mail, one in three still counts.
    """
    INSERT INTO superoffice_hooks_receiverrun (
        event_id, receiver, attempt, outcome, started_at, duration, error, traceback, succeeded_in,
        group_id, counts_in_group
    )
    SELECT e.id, r.receiver, 1,
        CASE WHEN r.receiver = 'project.mail' AND e.status = 'failed' THEN 'failed'
             WHEN r.receiver = 'project.count' AND e.name = 'quote.sent' THEN 'gave_up'
             ELSE 'succeeded' END,
        e.received_at, interval '1 second',
        CASE WHEN e.name = 'quote.sent' THEN 'LookupError: There is no rate.'
             WHEN e.status = 'failed' THEN 'TimeoutError: The mail server is away.' ELSE '' END,
        '',
        CASE WHEN r.receiver = 'project.mail' AND e.status = 'failed'
                  OR r.receiver = 'project.count' AND e.name = 'quote.sent' THEN NULL ELSE 0 END,
        CASE WHEN r.receiver = 'project.mail' AND e.status = 'failed' THEN 1
             WHEN r.receiver = 'project.count' AND e.name = 'quote.sent' THEN 2 END,
        CASE WHEN r.receiver = 'project.mail' THEN e.status = 'failed' AND e.id % 3 = 0
             ELSE e.name = 'quote.sent' END
    FROM superoffice_hooks_event e, (VALUES ('project.mail'), ('project.count')) r (receiver)
    ORDER BY e.id
    """,
]
TABLES = (
    "superoffice_hooks_receiverrun",
    "superoffice_hooks_failuregroup",
    "superoffice_hooks_event",
    "superoffice_hooks_changeset_fields",
    "superoffice_hooks_changeset",
    "superoffice_hooks_changedfield",
)


BOUND = 2 * MAX_ROWS + 3 * MAX_KEYS
"""What no query may exceed: the rows looked through, a row that belongs to each of them, and the
small tables."""


def alter_defaults(action: str) -> None:
    """Let the database know the models' defaults, or not: INSERTs may leave those columns out.

    So a new column is no news to them.
    """
    with connection.cursor() as cursor:
        for model in (Event, ReceiverRun, Redelivery):
            for field in model._meta.concrete_fields:
                if (default := field.get_default()) is not None:
                    value = [field.get_db_prep_save(default, connection)]
                    column = f"ALTER TABLE {model._meta.db_table} ALTER {field.column}"
                    cursor.execute(f"{column} {action}", value if "%s" in action else None)


def fill() -> None:
    """Write the rows, and let the planner know them."""
    alter_defaults("SET DEFAULT %s")
    with connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement)
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
    alter_defaults("DROP DEFAULT")


def empty() -> None:
    """Take the rows away again."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


def rows_read(plan: dict[str, Any]) -> int:
    """The rows that the scans of a plan took from tables and indexes, kept or not."""
    below: int = sum(map(rows_read, plan.get("Plans", ())))
    if "Relation Name" not in plan:
        return below
    dropped = (plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    each: float = plan["Actual Rows"] + sum(dropped)
    times: int = plan["Actual Loops"]
    return below + round(each * times)


def explained(statement: str) -> int:
    """The rows that a statement reads, found by doing it."""
    return rows_read(plan_of(statement))


def buffers(statement: str) -> int:
    """How often a statement takes a page of a table or an index, found by doing it.

    Looking up each of many rows takes several for each, though it reads few rows.
    """
    plan = plan_of(statement)
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def plan_of(statement: str) -> dict[str, Any]:
    """The plan of a statement, with what was really read."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.replace('%', '%%')}", ()
        )
        (found,) = cursor.fetchone()
    (top,) = found if isinstance(found, list) else json.loads(found)
    return dict(top["Plan"])
