"""With a table of 200 000 events an answer reads what it shows, or what it looks through."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.models.paging.pages import MAX_KEYS, MAX_ROWS

from .. import many
from ..many import BOUND, explained

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.usefixtures("many_rows"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="reads plans of PostgreSQL"),
]


def look(viewer, path: str, **query) -> tuple[Any, list[tuple[int, str]]]:
    """The answer, and the queries it took of our tables with the rows each of them read."""
    with CaptureQueriesContext(connection) as captured:
        answer = viewer.read(path, **query)
    ours = [query["sql"] for query in captured if 'FROM "superoffice_hooks_' in query["sql"]]
    assert ours
    return answer, [(explained(sql), sql) for sql in ours]


def too_many(queries: list[tuple[int, str]], bound: int = BOUND) -> list[tuple[int, str]]:
    return [(rows, sql) for rows, sql in queries if rows > bound]


def moment(number: int) -> str:
    """When the event with this number was received."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT received_at FROM superoffice_hooks_event ORDER BY id OFFSET %s LIMIT 1",
            [number],
        )
        (found,) = cursor.fetchone()
    return str(found.isoformat())


# How many rows the first page has.
RARE: list[tuple[dict[str, Any], int]] = [
    ({"changed": "field_300"}, 50),
    ({"changed_all": ["field_300", "field_1"]}, 50),
    ({"primary_key": 12345}, 3),
    ({"primary_key": 12345, "entity": "sale"}, 1),
    ({"search": "00003e3b"}, 1),
    ({"status": "pending"}, 0),
    ({"status": "handled"}, 0),
    ({"changed": "no_such"}, 0),
    ({"receiver": "nobody"}, 0),
]
COMMON: list[dict[str, Any]] = [
    {},
    {"page_size": 500},
    {"fields": "id"},
    {"status": "succeeded"},
    {"status": "skipped"},
    {"status": "failed"},
    {"event": "ticket.changed"},
    {"event": "ticket.*"},
    {"event": "*"},
    {"entity": "sale"},
    {"tenant": "Cust3"},
    {"endpoint": "default"},
    {"webhook": "Ours"},
    {"own": "false"},
    {"own": "true"},
    {"changed": "field_1"},
    {"changed": "field_7"},
    {"changed": ["field_1", "field_7", "field_8"]},
    {"changed_all": ["field_1", "field_7"]},
    {"receiver": "project.mail"},
    {"group": 1},
    {"receiver": "project.mail", "status": "failed", "tenant": "Cust2"},
    {"primary_key": 0},
    {"search": "0000"},
    {"event": "quote.sent"},
    {"event": "no.such"},
    {"tenant": "Cust404"},
    {"webhook": "Long ago"},
    {"endpoint": "old"},
]
BOTH = pytest.mark.parametrize("ordering", ["-received_at", "received_at"])


@BOTH
@pytest.mark.parametrize("query", [*COMMON, *(query for query, _ in RARE)], ids=str)
def test_a_page_reads_a_bounded_number_of_rows_and_so_does_the_next(viewer, query, ordering):
    page, queries = look(viewer, "events/", ordering=ordering, **query)
    assert too_many(queries) == []
    if page["next"]:
        page, queries = look(viewer, page["next"])
        assert too_many(queries) == []
        _, queries = look(viewer, page["previous"])
        assert too_many(queries) == []


@pytest.mark.parametrize(("query", "shown"), RARE, ids=str)
def test_what_is_rare_is_on_the_first_page_however_old_it_is(viewer, query, shown):
    assert len(viewer.read("events/", **query)["results"]) == shown


@BOTH
@pytest.mark.parametrize("query", [{}, {"entity": "sale"}, {"status": "failed"}], ids=str)
def test_a_time_far_back_reads_no_more(viewer, query, ordering):
    ends = {"since": moment(2000), "until": moment(40_000)}
    for given in (ends, {"since": ends["since"]}, {"until": ends["until"]}):
        page, queries = look(viewer, "events/", ordering=ordering, **given, **query)
        assert too_many(queries) == []
        if query != {"status": "failed"}:
            assert len(page["results"]) == 50


def test_a_list_without_filters_reads_no_more_than_it_shows(viewer):
    page, queries = look(viewer, "events/")
    assert too_many(queries, bound=150) == []
    for _ in range(3):
        page, queries = look(viewer, page["next"])
        assert too_many(queries, bound=150) == []


def test_all_pages_together_have_every_event_that_is_left(viewer):
    rows = viewer.rows("events/", event="quote.*", fields="id,event", page_size=5)
    assert [row["event"] for row in rows] == ["quote.sent"] * 21


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("records/Cust2/sale/333/", 1),
        ("records/Cust3/ticket/0/", 50),
        ("records/Cust3/sale/0/", 50),
        ("records/Cust404/ticket/0/", 0),
    ],
)
def test_a_time_line_reads_a_bounded_number_of_rows(viewer, path, shown):
    page, queries = look(viewer, path)
    assert len(page["results"]) == shown
    assert too_many(queries) == []


def test_one_event_reads_what_belongs_to_it(viewer):
    (event, *_) = viewer.read("events/", primary_key=12345)["results"]
    _, queries = look(viewer, f"events/{event['id']}/")
    assert too_many(queries, bound=50) == []


def test_the_status_reads_a_bounded_number_of_rows(viewer):
    told, queries = look(viewer, "status/")
    counted = {one["status"]: (one["events"], one["at_least"]) for one in told["statuses"]}
    assert counted["succeeded"] == counted["failed"] == (MAX_ROWS, True)
    assert counted["skipped"] == (3699, False)
    assert too_many(queries) == []


def test_statistics_of_fields_read_the_time_that_is_counted(viewer):
    # One event came in every twenty seconds.
    _, queries = look(viewer, "fields/", since=moment(199_000))
    assert too_many(queries, bound=2 * MAX_KEYS + many.EVENTS // 20) == []
