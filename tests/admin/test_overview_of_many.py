"""The overview of 200 000 events and 400 000 runs: PostgreSQL reads what it shows, by indexes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.reports import standing

from ..many import alter_defaults
from .page import Page
from .test_overview import OVERVIEW, RECEIVERS, TRAFFIC

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.skipif(
        "connection.vendor != 'postgresql'", reason="the plans are read as PostgreSQL writes them"
    ),
]

EVENTS, DAYS, PENDING = 200_000, 30, 20_000
IN_THE_WINDOW = EVENTS * 2 // DAYS
RUNS = 2
"""The runs of each event."""
LARGE = {
    "superoffice_hooks_event",
    "superoffice_hooks_receiverrun",
    "superoffice_hooks_redelivery",
}

FILL = """
INSERT INTO superoffice_hooks_changedfield (entity, name)
SELECT 'ticket', 'field_' || number FROM generate_series(1, 200) number;

INSERT INTO superoffice_hooks_changeset (id)
SELECT number FROM generate_series(1, 300) number;

INSERT INTO superoffice_hooks_changeset_fields (changeset_id, changedfield_id)
SELECT list.id, field.id
FROM superoffice_hooks_changeset list, superoffice_hooks_changedfield field
WHERE (field.id * 7 + list.id * 13) %% 5 = 0;

INSERT INTO superoffice_hooks_event (
    status, attempts, next_attempt_at, endpoint, event_id, name, entity, action, primary_key,
    tenant, webhook_name, is_own, handled_by, handled_reason, received_at, payload, body, headers,
    problems, change_set_id
)
SELECT
    CASE WHEN number > %(events)s - %(pending)s THEN 'pending'
         WHEN number %% 4 = 0 THEN 'failed' ELSE 'succeeded' END,
    1, CASE WHEN number > %(events)s - %(pending)s THEN at END,
    CASE WHEN number < 1000 THEN 'silent' ELSE 'default' END, gen_random_uuid(),
    CASE WHEN number %% 5000 = 0 THEN 'test' ELSE 'ticket.changed' END, 'ticket', 'changed', number,
    'Cust1', 'hook', false, '', '', at,
    jsonb_build_object('x', repeat(md5(number::text), 20)), '', '{}', '[]',
    (SELECT min(id) FROM superoffice_hooks_changeset) + number %% 300
FROM generate_series(1, %(events)s) number,
    LATERAL (
        SELECT now() - (%(events)s - number) * %(days)s * interval '1 day' / %(events)s AS at
    ) moment;

INSERT INTO superoffice_hooks_receiverrun (
    event_id, receiver, attempt, outcome, started_at, duration, error, traceback
)
SELECT id, 'app.receiver_' || number, 1,
    CASE WHEN status = 'failed' AND number = 1 THEN 'failed' ELSE 'succeeded' END,
    received_at, interval '1 ms', '', ''
FROM superoffice_hooks_event, generate_series(1, 2) number;

INSERT INTO superoffice_hooks_redelivery (event_id, received_at, webhook_name)
SELECT id, received_at, '' FROM superoffice_hooks_event WHERE id %% 10 = 0;

ANALYZE;
"""


@pytest.fixture
def filled(db) -> None:
    alter_defaults("SET DEFAULT %s")
    with connection.cursor() as cursor:
        # Several statements take no parameters at once.
        for statement in FILL.split(";"):
            if statement.strip():
                cursor.execute(statement, {"events": EVENTS, "pending": PENDING, "days": DAYS})


def plan(sql: str) -> Iterator[dict[str, Any]]:
    """The nodes of a query's plan, with what each really read."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (found,) = cursor.fetchone() or ("",)
    nodes = [(json.loads(found) if isinstance(found, str) else found)[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        yield node


def rows_read(node: dict[str, Any]) -> int:
    dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + dropped) * node["Actual Loops"])


@pytest.mark.parametrize(("url", "queries"), [(OVERVIEW, 10), (RECEIVERS, 5), (TRAFFIC, 4)])
def test_no_large_table_is_scanned_and_no_more_is_read_than_the_window_has(
    filled, viewer, url, queries
):
    Page.get(viewer, url)
    with CaptureQueriesContext(connection) as captured:
        page = Page.get(viewer, url)
    if url == OVERVIEW:
        assert f"{standing.MAX_PENDING} events or more are pending." in page.text
        assert f"{standing.MAX_COUNTED} events or more have failed" in page.text
    ours = [query["sql"] for query in captured if 'FROM "superoffice_hooks_' in query["sql"]]
    assert len(ours) == queries
    for sql in ours:
        scans = [node for node in plan(sql) if node.get("Relation Name") in LARGE]
        for node in scans:
            assert node["Node Type"] != "Seq Scan", sql
            rows = RUNS if node["Relation Name"] == "superoffice_hooks_receiverrun" else 1
            assert rows_read(node) <= rows * IN_THE_WINDOW, sql
