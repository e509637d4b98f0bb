"""The list of events: what it shows, and what it asks the database for."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from ..conftest import body
from .conftest import EVENTS, raises
from .page import Page

pytestmark = pytest.mark.django_db

# What was sent, the entities and the fields that are suggested; how far back to look, how many
# there are, which of them are on the page, and their rows.
QUERIES = 7


def found(client, query: str = "") -> list[str]:
    """The event names in the list, newest first."""
    page = Page.get(client, f"{EVENTS}{query}")
    assert page.status == 200
    assert "?e=1" not in page.url
    return page.cells("event_name")


def ours(captured: CaptureQueriesContext) -> list[str]:
    """The queries of our tables."""
    return [query["sql"] for query in captured if 'FROM "superoffice_hooks_' in quoted(query)]


def quoted(query: dict[str, str]) -> str:
    return query["sql"].replace("`", '"')


def test_a_row_says_when_what_which_record_and_what_became_of_it(event, connect, viewer):
    connect(signals.ticket_changed, raises)
    event(PrimaryKey=527331, Changes=["priority", "Ticket_Status"])
    page = Page.get(viewer, EVENTS)
    assert page.cells("received")[0].startswith("20")
    assert page.cells("event_name") == ["ticket.changed"]
    assert page.cells("record") == ["ticket 527331"]
    assert page.cells("changed") == ["priority Ticket_Status"]
    assert page.cells("status_word") == ["failed"]
    assert page.cells("tenant") == ["Default"]
    assert page.cells("attempts") == ["1"]
    assert page.cells("redelivered") == ["0"]


def test_the_first_changed_fields_are_shown_and_the_others_are_a_click_away(event, viewer):
    event()
    page = Page.get(viewer, EVENTS)
    (changed,) = page.cells("changed")
    first, others = changed.split(" +44 more ")
    assert len(first.split()) == 3
    assert len(others.split()) == 44
    assert "details" in page.tags


def test_a_list_of_thousands_of_fields_is_cut_in_the_list(event, viewer):
    event(Changes=["x" * 5000, *(f"x_{number}" for number in range(5000))])
    page = Page.get(viewer, EVENTS)
    assert "+997 more" in page.text
    assert "x_98" in page.text
    assert "x_99" not in page.text
    assert "x" * 61 not in page.cells("changed")[0]


def test_an_event_that_names_no_changed_fields_has_none(event, viewer):
    event(Changes=[])
    assert Page.get(viewer, EVENTS).cells("changed") == ["-"]


def test_redeliveries_are_counted(post, event, viewer):
    event("contact.changed")
    sent = body()
    for _ in range(3):
        post(sent)
    assert Page.get(viewer, EVENTS).cells("redelivered") == ["2", "0"]


def test_the_newest_event_comes_first_whatever_the_url_says(event, viewer):
    event("contact.changed")
    event("person.changed")
    for query in ("", "?o=1", "?o=-1.2", "?o=2", "?o=x"):
        assert found(viewer, query) == ["person.changed", "contact.changed"]


def test_events_that_say_next_to_nothing_are_shown_as_well(post, viewer):
    for sent in (b"{}", b'{"Changes": "id", "Event": 3}', b'{"Changes": [1, {}], "Event": "test"}'):
        assert post(sent).status_code == 200
    assert found(viewer) == ["test", "(no name)", "(no name)"]


def test_thirty_events_take_as_many_queries_as_three(post, event, viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert found(viewer) == ["ticket.changed"] * Event.objects.count()
        # The count in the line above is one of them.
        return len(ours(captured)) - 1

    for number in range(3):
        event(Changes=["id", f"x_{number}"])
    assert queries() == QUERIES
    for number in range(3, 30):
        sent = body(Changes=["id", f"x_{number}"], ContextIdentifier=f"Cust{number}")
        post(sent)
        post(sent)
    assert queries() == QUERIES


def test_the_list_reads_no_bodies_and_changes_alone_of_the_payloads(event, viewer):
    event()
    with CaptureQueriesContext(connection) as captured:
        assert found(viewer) == ["ticket.changed"]
    queries = [sql.replace("`", '"') for sql in ours(captured)]
    assert [sql for sql in queries if '."body"' in sql] == []
    (rows,) = [sql for sql in queries if '."payload"' in sql]
    assert "Changes" in rows
    assert ', "superoffice_hooks_event"."payload",' not in rows


def test_markup_in_a_delivery_is_text_in_the_list(post, viewer):
    evil = "<script>alert(1)</script>"
    names = [evil, f'" onclick="{evil}', "c", evil * 2, "e"]
    sent = body(f"{evil}.x", ContextIdentifier=evil, Entity=evil, WebhookName=evil, Changes=names)
    post(sent)
    page = Page.get(viewer, f"{EVENTS}?tenant={evil}&changed={evil}&received_at__lt={evil}")
    assert evil not in page.html
    page = Page.get(viewer, f"{EVENTS}?tenant={evil}")
    assert evil not in page.html
    assert 'onclick="' not in page.html
    assert page.cells("tenant") == [evil]
    assert page.cells("changed")[0].startswith(evil)


def test_a_record_is_a_click_away_from_everything_that_happened_to_it(event, page_of):
    event("list.110.changed", PrimaryKey=5)
    event("list.110.softdeleted", PrimaryKey=6)
    last = event("list.110.softdeleted", PrimaryKey=5)
    page = page_of(last).click("all its events")
    assert page.cells("event_name") == ["list.110.softdeleted", "list.110.changed"]
