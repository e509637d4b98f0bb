"""The timeline of a record: every event, and which field changed when."""

import re
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.admin.events import EventAdmin
from superoffice_hooks.models import Event

from .conftest import EVENTS
from .page import Page

pytestmark = pytest.mark.django_db

NOON = "2026-05-19T12:00:00Z"
ONE = "2026-05-19T13:00:00Z"
TWO = "2026-05-19T14:00:00Z"


def timeline(client, tenant="Default", entity="ticket", primary_key=527331, **more) -> Page:
    asked = {"tenant": tenant, "entity": entity, "primary_key": primary_key, **more}
    return Page.get(client, f"{EVENTS}record/?{urlencode(asked)}")


def rows(page: Page) -> dict[str, list[str]]:
    """The grid: what each cell of a field says to people who cannot see it."""
    fields, cells = page.cells("field"), page.cells("cell")
    width = len(cells) // len(fields) if fields else 0
    said = [re.sub(r"[●?] ?", "", cell) for cell in cells]
    return {field: said[place * width :][:width] for place, field in enumerate(fields)}


def test_every_event_of_the_record_newest_first(event, viewer):
    event("ticket.created", Timestamp=NOON, Changes=[])
    event(Timestamp=TWO, Changes=["priority", "title"])
    event(Timestamp=ONE, Changes=["title"], ChangedByAssociateId=None)
    event(PrimaryKey=1)
    event(ContextIdentifier="Cust1")
    event("sale.changed")
    page = timeline(viewer)
    assert "ticket 527331 of Default" in page.text
    assert "3 events are stored of this record" in page.text
    assert page.cells("occurred") == [
        "2026-05-19 16:00:00",
        "2026-05-19 15:00:00",
        "2026-05-19 14:00:00",
    ]
    assert page.cells("event_name") == ["ticket.changed", "ticket.changed", "ticket.created"]
    assert page.cells("associate") == ["37201", "–", "37201"]  # noqa: RUF001
    assert page.cells("changed") == ["2", "1", "unknown"]
    assert page.cells("status") == ["skipped"] * 3


def test_the_grid_says_which_field_changed_when(event, viewer):
    event(Timestamp=NOON, Changes=["Priority", "status"])
    event(Timestamp=ONE, Changes=[])
    event(Timestamp=TWO, Changes=["title", "priority"])
    assert rows(timeline(viewer)) == {
        "priority": ["changed", "unknown", "changed"],
        "title": ["changed", "unknown", ""],
        "status": ["", "unknown", "changed"],
    }


def test_the_page_of_an_event_leads_there_and_back(event, viewer, page_of):
    stored = event(Timestamp=ONE)
    page = page_of(stored).click("all its events")
    assert "One event is stored of this record." in page.text
    assert page.click("2026-05-19 15:00:00").url.endswith(f"{stored.pk}/change/")
    assert len(page.click("Show in the list of events").cells("event_name")) == 1


def test_events_that_name_no_fields_have_no_grid(event, viewer):
    event("ticket.created", Changes=[])
    assert "Unknown: none of these events names its changed fields." in timeline(viewer).text


def test_a_record_without_events_says_so(viewer):
    page = timeline(viewer, primary_key=4711)
    assert (page.status, "No event of this record is stored." in page.text) == (200, True)


@pytest.mark.parametrize(
    "query",
    [
        "", "entity=ticket&primary_key=1", "tenant=&entity=ticket", "tenant=&primary_key=1",
        "tenant=&entity=ticket&primary_key=x", "tenant=&entity=ticket&primary_key=",
        "tenant=&entity=ticket&primary_key=99999999999999999999",
        "tenant=&entity=ticket&primary_key=9999999999999999999",
    ],
)  # fmt: skip
def test_what_names_no_record_is_not_found(viewer, query):
    assert viewer.get(f"{EVENTS}record/?{query}").status_code == 404


@pytest.mark.parametrize("odd", ["\x00", "<script>alert(1)</script>", "'", "%", "x" * 3000, "🐘"])
def test_strange_records_break_nothing(viewer, odd):
    page = timeline(viewer, tenant=odd, entity=odd, page=odd)
    assert page.status == 200
    assert "<script>alert" not in page.html


def test_markup_in_a_delivery_is_text(event, viewer):
    evil = "<script>alert(1)</script>"
    stored = event(f"{evil}.changed", Changes=[evil], ContextIdentifier=evil)
    page = timeline(viewer, tenant=evil, entity=stored.entity)
    assert list(rows(page)) == [evil]
    assert "<script>alert" not in page.html


def test_many_events_come_in_pages(event, viewer, monkeypatch):
    monkeypatch.setattr(EventAdmin, "EVENTS", 2)
    keys = [event(Timestamp=f"2026-05-19T12:00:0{number}Z").pk for number in range(5)]
    page = timeline(viewer)
    assert "Page 1 of 3" in page.text
    seen = []
    while True:
        seen += re.findall(r'field-occurred"><a href="[^"]*/event/(\d+)/', page.html)
        if "Older events" not in page.filters:
            break
        page = page.filter("Older events")
    assert list(map(int, seen)) == keys[::-1]
    assert "Page 2 of 3" in page.filter("Newer events").text


def test_many_fields_are_named_below_the_grid(event, viewer, monkeypatch):
    monkeypatch.setattr(EventAdmin, "FIELDS", 2)
    monkeypatch.setattr(EventAdmin, "NAMES", 1)
    event(Changes=["a", "b", "c", "d"])
    page = timeline(viewer)
    assert list(rows(page)) == ["a", "b"]
    assert "Changed as well: c and 1 more" in page.text


def test_it_takes_as_many_queries_for_many_events_as_for_few(event, viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert timeline(viewer).status == 200
        return len(captured)

    for number in range(2):
        event(Changes=[f"x_{number}"])
    few = queries()
    for number in range(20):
        event(Changes=[f"y_{number}", "title"])
    assert queries() == few


def test_no_payload_is_read(event, viewer):
    event()
    with CaptureQueriesContext(connection) as captured:
        timeline(viewer)
    assert not [query for query in captured if '."payload"' in query["sql"]]


def test_it_is_for_those_who_may_see_events(event, clerk, anonymous):
    event()
    assert timeline(clerk).status == 403
    assert "/login/" in timeline(anonymous).url
    assert Event.objects.count() == 1
