"""The list of events: what it shows, what it asks the database for, what can be found in it."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from ..conftest import body
from .conftest import EVENTS, raises
from .page import Page

pytestmark = pytest.mark.django_db


def found(client, query: str = "") -> list[str]:
    """The event names in the list, newest first."""
    page = Page.get(client, f"{EVENTS}{query}")
    assert page.status == 200
    assert "?e=1" not in page.url
    return page.cells("event_name")


def test_a_row_says_when_what_which_record_and_what_became_of_it(event, connect, viewer):
    connect(signals.ticket_changed, raises)
    event(PrimaryKey=527331, Changes=["priority", "Ticket_Status", "owned_by", "slevel"])
    page = Page.get(viewer, EVENTS)
    assert page.cells("received")[0].startswith("20")
    assert page.cells("event_name") == ["ticket.changed"]
    assert page.cells("record") == ["ticket 527331"]
    assert page.cells("changed") == ["4: priority, Ticket_Status, owned_by, …"]
    assert page.cells("status_word") == ["failed"]
    assert page.cells("tenant") == ["Default"]
    assert page.cells("attempts") == ["1"]


def test_the_newest_event_comes_first(event, viewer):
    event("contact.changed")
    event("person.changed")
    assert found(viewer) == ["person.changed", "contact.changed"]


def test_events_that_say_next_to_nothing_are_shown_as_well(post, viewer):
    for sent in (b"{}", b'{"Changes": "id", "Event": 3}', b'{"Changes": [1, {}], "Event": "test"}'):
        assert post(sent).status_code == 200
    assert found(viewer) == ["test", "(no name)", "(no name)"]


def test_thirty_events_take_as_many_queries_as_three(event, viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert found(viewer) == ["ticket.changed"] * Event.objects.count()
        return len(captured)

    for number in range(3):
        event(Changes=["id", f"x_{number}"])
    few = queries()
    for number in range(3, 30):
        event(Changes=["id", f"x_{number}"], ContextIdentifier=f"Cust{number}")
    assert queries() == few


def test_the_list_reads_neither_bodies_nor_payloads(event, viewer):
    event()
    with CaptureQueriesContext(connection) as captured:
        assert found(viewer) == ["ticket.changed"]
    (rows,) = [
        query["sql"]
        for query in captured
        if '"status"' in query["sql"].replace("`", '"') and "received_at" in query["sql"]
    ]
    assert '"superoffice_hooks_event"."body"' not in rows.replace("`", '"')
    assert ', "superoffice_hooks_event"."payload",' not in rows.replace("`", '"')


@pytest.mark.parametrize(
    "query",
    [
        "?name=ticket.changed",
        "?name=ticket.*",
        "?entity=ticket",
        "?tenant=Cust1",
        "?changed=priority",
        "?changed=PRIORITY",
        "?changed=dotted.name&entity=ticket",
        "?status__exact=failed",
        "?received_at__gte=2020-01-01T00:00Z&name=ticket.changed",
    ],
)
def test_a_filter_leaves_what_it_names(event, connect, viewer, query):
    connect(signals.ticket_changed, raises)
    event("contact.changed", ContextIdentifier="Cust2", Changes=["name"])
    event("ticket.changed", ContextIdentifier="Cust1", Changes=["Priority", "dotted.name"])
    assert found(viewer, query) == ["ticket.changed"]


def test_the_filters_offer_what_was_sent(event, viewer):
    event("y_car.changed", ContextIdentifier="Cust2", Changes=["x_plate"])
    page = Page.get(viewer, EVENTS)
    assert page.filter("y_car.changed").cells("event_name") == ["y_car.changed"]
    assert page.filter("y_car").cells("event_name") == ["y_car.changed"]
    assert page.filter("Cust2").cells("event_name") == ["y_car.changed"]
    assert page.filter("succeeded").cells("event_name") == []
    assert page.filter("Today").cells("event_name") == ["y_car.changed"]
    assert '<option value="x_plate">' in page.html


def test_a_changed_field_is_typed_and_goes_with_the_other_filters(event, viewer):
    event("contact.changed", Changes=["name"])
    event("person.changed", Changes=["name"])
    page = Page.get(viewer, f"{EVENTS}?entity=person&p=1").submit("changed", changed="name")
    assert page.cells("event_name") == ["person.changed"]
    page = page.filter("Any field")
    assert page.url == f"{EVENTS}?entity=person"


def test_only_fields_of_the_chosen_entity_are_offered(event, viewer):
    event("contact.changed", Changes=["orgnr"])
    event("person.changed", Changes=["mrmrs"])
    for query in ("?entity=person", "?name=person.changed"):
        page = Page.get(viewer, f"{EVENTS}{query}")
        assert '<option value="mrmrs">' in page.html
        assert '<option value="orgnr">' not in page.html


def test_a_tenant_long_gone_is_still_shown_as_what_was_asked_for(event, viewer):
    event()
    assert "Cust404" in Page.get(viewer, f"{EVENTS}?tenant=Cust404").filters


def test_an_event_is_found_by_its_id_with_or_without_dashes(event, viewer):
    wanted, _ = event("sale.sold"), event("sale.changed")
    for query in (wanted.event_id, wanted.event_id.hex, f" {wanted.event_id}".upper()):
        assert found(viewer, f"?q={query}") == ["sale.sold"]
    assert found(viewer, f"?q={uuid.uuid4()}") == []


def test_events_are_found_by_the_number_of_their_record(event, viewer):
    event("ticket.changed", PrimaryKey=76)
    event("sale.changed", PrimaryKey=76)
    event("sale.changed", PrimaryKey=77)
    event("list.110.changed", PrimaryKey=-1)
    assert found(viewer, "?q=76") == ["sale.changed", "ticket.changed"]
    assert found(viewer, "?q=Ticket+76") == ["ticket.changed"]
    assert found(viewer, "?q=-1") == ["list.110.changed"]


@pytest.mark.parametrize(
    "nonsense",
    ["%00", "a%00b+7", "%F0%9F%90%98", "%ED%A0%80", "9" * 19, "9" * 5000, "²", "'", "%25", "\\",
     "-", "+7", "{}", "ticket+", "a+b+c+1", "1.5", "0x10", "zzz" * 999],
)  # fmt: skip
def test_no_search_and_no_filter_breaks_the_list(event, viewer, nonsense):
    event()
    for parameter in ("q", "name", "entity", "tenant", "changed", "status__exact", "endpoint"):
        assert found(viewer, f"?{parameter}={nonsense}") in ([], ["ticket.changed"])


def test_a_record_is_a_click_away_from_everything_that_happened_to_it(event, page_of):
    event("list.110.changed", PrimaryKey=5)
    event("list.110.softdeleted", PrimaryKey=6)
    last = event("list.110.softdeleted", PrimaryKey=5)
    page = page_of(last).click("all its events")
    assert page.cells("event_name") == ["list.110.softdeleted", "list.110.changed"]


def test_markup_in_a_delivery_is_text_in_the_list(post, viewer):
    evil = "<script>alert(1)</script>"
    post(body(f"{evil}.x", ContextIdentifier=evil, Entity=evil, Changes=[evil]))
    page = Page.get(viewer, EVENTS)
    assert evil not in page.html
    assert page.cells("tenant") == [evil]
    assert page.cells("changed") == [f"1: {evil}"]
