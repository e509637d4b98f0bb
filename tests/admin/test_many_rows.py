"""With a table of 200 000 events the list reads what it shows, or what it says it looks through."""

import json
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.replay import preview

from .. import many
from ..many import BOUND, buffers, explained
from .conftest import EVENTS, GROUPS, REPLAY
from .page import Page
from .test_events import QUERIES, ours

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.usefixtures("many_rows"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="reads plans of PostgreSQL"),
]


def look(viewer, query: str) -> tuple[Page, list[tuple[int, str]]]:
    """The page, and the queries it took of our tables with the rows each of them read."""
    with CaptureQueriesContext(connection) as captured:
        page = Page.get(viewer, f"{EVENTS}{query}")
    assert page.status == 200
    return page, [(explained(sql), sql) for sql in ours(captured)]


RARE = {
    "?status__exact=failed": 100,
    "?name=quote.sent": 21,
    "?tenant=Cust1": 1,
    "?endpoint=old": 1,
    "?changed=field_300": 100,
    "?receiver=project.count&outcome=gave_up": 21,
    "?q=12345": 3,
    "?q=sale+12345": 1,
    "?q=%2312345": 3,
    "?q=Cust1": 1,
    "?q=field_300": 100,
    "?q=there+is+no+rate": 21,
    "?group=1": 100,
    "?group=2": 21,
    "?status__exact=failed&tenant=Cust2": 100,
    "?status__exact=failed&receiver=project.mail": 100,
    "?changed=field_300&status__exact=succeeded": 98,
    "?status__exact=failed&name=ticket.changed&changed=field_1": 100,
}
COMMON = [
    "",
    "?p=100",
    "?status__exact=succeeded",
    "?name=ticket.changed",
    "?name=ticket.*",
    "?entity=sale",
    "?tenant=Cust3",
    "?changed=field_1",
    "?changed=field_7",
    "?endpoint=default",
    "?webhook=Ours",
    "?receiver=project.mail",
    "?receiver=project.mail&outcome=succeeded",
    "?outcome=succeeded",
    "?received=hour",
    "?received=month",
    "?q=0",
    "?q=our",
    "?q=Cust3",
    "?q=field_1",
    "?q=project.mail",
    "?q=mail+server+is+away",
    "?o=6",
]
# Common once, or without an index, and not among what is newest.
FAR = [
    "?entity=quote",
    "?webhook=Long+ago",
    "?name=quote.*",
    "?receiver=project.mail&outcome=failed",
    "?q=Long",
    "?q=zzz",
    "?tenant=Cust2&entity=quote",
]
NONE = ["?tenant=Cust404", "?name=no.such", "?changed=no_such", "?receiver=nobody", "?q=88888888"]


@pytest.mark.parametrize("query", [*RARE, *COMMON, *FAR, *NONE])
def test_a_page_reads_a_bounded_number_of_rows(viewer, query):
    _, queries = look(viewer, query)
    assert queries
    assert [(rows, sql) for rows, sql in queries if rows > BOUND] == []


@pytest.mark.parametrize(("query", "shown"), RARE.items())
def test_what_is_rare_is_found_however_old_it_is(viewer, query, shown):
    assert len(Page.get(viewer, f"{EVENTS}{query}").cells("event_name")) == shown


@pytest.mark.parametrize("query", FAR)
def test_what_is_not_found_among_the_newest_is_looked_for_further_back(viewer, query):
    page = Page.get(viewer, f"{EVENTS}{query}")
    assert page.cells("event_name") == []
    assert "Older events" in page.filters


@pytest.mark.parametrize("url", ["", "1/change/", "2/change/", "1/handle/"])
def test_the_pages_of_failure_groups_read_no_more_than_their_events(replayer, url):
    with CaptureQueriesContext(connection) as captured:
        page = Page.get(replayer, f"{GROUPS}{url}")
    assert page.status == 200
    read = [(explained(sql), sql) for sql in ours(captured)]
    assert [(rows, sql) for rows, sql in read if rows > BOUND] == []
    assert len(read) < 10


@pytest.mark.parametrize("choice", ["", "&only_failed=on", "&only_newest=on"])
@pytest.mark.parametrize("criteria", [{"name": "ticket.*"}, {"name": "sale.changed"}, {"group": 2}])
def test_the_confirmation_of_a_replay_reads_no_more_than_the_events_it_counts(
    replayer, monkeypatch, criteria, choice
):
    counted = 2000
    monkeypatch.setattr(preview, "MAX_EVENTS", counted)
    read = [(explained(sql), sql) for sql in read_by_confirmation(replayer, criteria, choice)]
    # An event has two runs, and others of its record beside it.
    assert [(rows, sql) for rows, sql in read if rows > 10 * counted] == []


@pytest.mark.parametrize(
    "criteria",
    [
        {"failing": "project.mail"},
        {"receiver": "project.mail", "outcome": "failed"},
        {"receiver": "project.count"},
        {"outcome": "failed"},
        {"changed": ["field_1"]},
        {"changed_all": ["field_1", "field_7"]},
        {"status": "failed"},
        {"tenant": "Cust2"},
        {"group": 1},
    ],
    ids=str,
)
def test_the_confirmation_of_a_replay_looks_no_event_up_by_itself(replayer, monkeypatch, criteria):
    counted = 20_000
    monkeypatch.setattr(preview, "MAX_EVENTS", counted)
    read = [(buffers(sql), sql) for sql in read_by_confirmation(replayer, criteria)]
    assert [(pages, sql) for pages, sql in read if pages > 5 * counted] == []


def read_by_confirmation(client, criteria, choice: str = "") -> list[str]:
    """The queries of the page that confirms a replay, of which there are not many."""
    url = f"{REPLAY}?{urlencode({'criteria': json.dumps(criteria)})}{choice}"
    Page.get(client, url)
    with CaptureQueriesContext(connection) as captured:
        page = Page.get(client, url)
    assert "This replay makes" in page.text
    assert len(captured) <= 15
    return read_of(captured)


def read_of(captured: CaptureQueriesContext) -> list[str]:
    """The queries of our tables, those among them that Django did not make."""
    found = (query["sql"] for query in captured)
    return [sql for sql in found if '"superoffice_hooks_' in sql and not sql.startswith("INSERT")]


def test_a_range_of_time_far_back_reads_no_more(viewer):
    with connection.cursor() as cursor:
        cursor.execute("SELECT received_at FROM superoffice_hooks_event ORDER BY id OFFSET 40000")
        (moment,) = cursor.fetchone()
    page, queries = look(viewer, f"?received_at__lt={moment:%Y-%m-%dT%H:%M:%SZ}&entity=sale")
    assert len(page.cells("event_name")) == 100
    assert max(rows for rows, _ in queries) <= BOUND


def test_older_events_follow_where_the_list_ends(viewer):
    page = Page.get(viewer, f"{EVENTS}?tenant=Cust3&p=100")
    last = page.cells("received")[-1]
    assert "There are about 200,000 in all." in page.text
    page = page.filter("Older events")
    assert page.cells("received")[0] < last
    assert "20000 events" not in page.text
    assert page.filter("Newest events").url == f"{EVENTS}?tenant=Cust3"


def test_the_first_page_takes_the_same_queries_as_that_of_a_small_table(viewer):
    _, queries = look(viewer, "?received=hour")
    assert len(queries) == QUERIES
    _, queries = look(viewer, "")
    # And the estimate, which asks no table of ours.
    assert len(queries) == QUERIES


def test_the_rows_read_are_counted_right():
    """A check that cannot fail is none."""
    everything = "SELECT count(*) FROM superoffice_hooks_event WHERE attempts > 7"
    # Of parallel workers PostgreSQL tells the average.
    assert explained(everything) == pytest.approx(many.EVENTS, abs=5)
