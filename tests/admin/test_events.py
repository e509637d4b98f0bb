"""The list of events: what it shows, and what it asks the database for."""

import pytest
from django.contrib import admin
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.messages.middleware import MessageMiddleware
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from ..conftest import SEED, body
from .conftest import EVENTS, raises
from .page import Page

pytestmark = pytest.mark.django_db

# What was sent, the entities and the fields that are suggested; how far back to look, how many
# there are, which of them are on the page, and their rows. If one is not done, its failures.
QUERIES = 7


def found(client, query: str = "") -> list[str]:
    """The event names in the list, newest first."""
    page = Page.get(client, f"{EVENTS}{query}")
    assert page.status == 200
    assert "?e=1" not in page.url
    return page.cells("event_name")


def listed(viewer: Client, query: str) -> list[str]:
    """The event names in the list, newest first, without the page around it."""
    request = RequestFactory().get(f"{EVENTS}{query}")
    request.session = viewer.session
    request.user = User.objects.get(pk=viewer.session[SESSION_KEY])
    MessageMiddleware(lambda _: HttpResponse()).process_request(request)
    rows = admin.site.get_model_admin(Event).get_changelist_instance(request).result_list
    return [str(event.name) for event in rows]


def ours(captured: CaptureQueriesContext) -> list[str]:
    """The queries of our tables."""
    return [query["sql"] for query in captured if 'FROM "superoffice_hooks_' in quoted(query)]


def quoted(query: dict[str, str]) -> str:
    return query["sql"].replace("`", '"')


@pytest.mark.usefixtures("one_attempt")
def test_a_row_says_when_what_which_record_and_what_became_of_it(event, connect, viewer):
    connect(signals.ticket_changed, raises)
    event(PrimaryKey=527331, Changes=["priority", "Ticket_Status"])
    page = Page.get(viewer, EVENTS)
    assert page.cells("received")[0].startswith("20")
    assert page.cells("event_name") == ["ticket.changed"]
    assert page.cells("record") == ["ticket 527331 Default"]
    assert page.cells("changed") == ["priority Ticket_Status"]
    assert page.cells("status_word") == ["failed"]
    assert page.cells("failure") == ["conftest.raises ValueError: no <b>such</b> ticket"]


def test_the_status_comes_first(event, viewer):
    event()
    html = Page.get(viewer, EVENTS).html
    order = ("status_word", "received", "event_name", "record", "changed", "failure")
    places = [html.index(f"field-{name}") for name in order]
    assert places == sorted(places)


class TestFailures:
    """The receiver that failed last, and the first line of its error."""

    @pytest.fixture(autouse=True)
    def _once(self, one_attempt):
        pass

    def test_the_others_are_counted(self, event, connect, viewer):
        connect(signals.ticket_changed, raises)
        connect(signals.any_event, raises_lines)
        connect(signals.any_event, content)
        event()
        (shown,) = Page.get(viewer, EVENTS).cells("failure")
        assert shown == "test_events.raises_lines RuntimeError: first and 1 more"

    def test_what_has_succeeded_shows_none(self, event, connect, viewer):
        connect(signals.any_event, content)
        event()
        assert Page.get(viewer, EVENTS).cells("failure") == ["-"]

    def test_a_receiver_that_succeeded_later_shows_none(self, event, connect, viewer):
        connect(signals.ticket_changed, raises)
        failed = event()
        run = failed.runs.get()
        run.pk, run.outcome = None, "succeeded"
        run.save()
        assert Page.get(viewer, EVENTS).cells("failure") == ["-"]

    def test_a_long_name_and_a_long_error_are_cut(self, event, connect, viewer):
        connect(signals.ticket_changed, raises)
        failed = event()
        failed.runs.update(receiver=f"{'m' * 100}.{'f' * 100}", error="\u202e" + "e" * 480)
        (shown,) = Page.get(viewer, EVENTS).cells("failure")
        assert len(shown) < 170
        assert "\\u202eee" in shown

    def test_thirty_failures_take_one_query_more_than_none(self, event, connect, viewer):
        connect(signals.any_event, raises)
        for number in range(30):
            event(Changes=["id"], PrimaryKey=number)
        with CaptureQueriesContext(connection) as captured:
            assert len(Page.get(viewer, EVENTS).cells("failure")) == 30
        assert len(ours(captured)) == QUERIES + 1

    def test_no_more_runs_are_read_than_the_page_has_room_for(
        self, event, connect, viewer, monkeypatch
    ):
        monkeypatch.setattr("superoffice_hooks.admin.failed_receivers.MAX_RUNS", 1)
        connect(signals.any_event, raises)
        event(PrimaryKey=1)
        event(PrimaryKey=2)
        shown = Page.get(viewer, EVENTS).cells("failure")
        assert shown == ["conftest.raises ValueError: no <b>such</b> ticket", "-"]


def raises_lines(**kwargs):
    """A receiver whose error has two lines."""
    raise RuntimeError("first\nsecond")


def content(**kwargs):
    """A receiver that is content with everything."""


def test_what_cannot_be_seen_is_written_out(event, viewer):
    event("y_\u202ex.changed", ContextIdentifier="Cust\u200b1", Changes=["a\u2066b"])
    page = Page.get(viewer, EVENTS)
    assert page.cells("event_name") == ["y_\\u202ex.changed"]
    assert page.cells("record") == ["y_\\u202ex 527331 Cust\\u200b1"]
    assert page.cells("changed") == ["a\\u2066b"]


def test_filters_that_are_not_used_are_folded(event, viewer):
    event()
    html = Page.get(viewer, EVENTS).html
    assert html.count("<details data-filter-title") >= 10
    assert "open>" not in html
    for query in ("?status__exact=failed", "?changed=priority", "?received=day", "?own=yes"):
        assert Page.get(viewer, f"{EVENTS}{query}").html.count('" open>') == 1, query


def test_the_first_changed_fields_are_shown_and_the_others_are_a_click_away(event, viewer):
    event(Changes=SEED["Changes"])
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
    (of_record,) = page.cells("record")
    assert of_record.endswith(evil)
    assert page.cells("changed")[0].startswith(evil)


def test_a_record_is_a_click_away_from_everything_that_happened_to_it(event, page_of):
    event("list.110.changed", PrimaryKey=5)
    event("list.110.softdeleted", PrimaryKey=6)
    last = event("list.110.softdeleted", PrimaryKey=5)
    page = page_of(last).click("all its events")
    assert page.cells("event_name") == ["list.110.softdeleted", "list.110.changed"]
