"""The timeline of a record: its events, and which field changed when."""

from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.admin import EventAdmin
from superoffice_hooks.models import Event

from ..conftest import body, documented
from ..copies import copies
from .conftest import EVENTS, logged_in
from .page import Page

pytestmark = pytest.mark.django_db

RECORD = f"{EVENTS}record/"


def of(client, *, tenant="Default", entity="ticket", primary_key: object = 527331, **more) -> Page:
    """The timeline of a record."""
    asked = {"tenant": tenant, "entity": entity, "primary_key": primary_key, **more}
    return Page.get(client, f"{RECORD}?{urlencode(asked)}")


def grid(page: Page) -> dict[str, list[str]]:
    """What a screen reader says about each field, event by event."""
    cells = [cell.removeprefix("●").removeprefix("?") for cell in page.cells("cell")]
    fields = page.cells("field")
    width = len(cells) // (len(fields) or 1)
    return {field: cells[n * width :][:width] for n, field in enumerate(fields)}


@pytest.fixture
def three_changes(event) -> list[Event]:
    """Three changes of one ticket, which arrived in another order than they occurred."""
    return [
        event(Timestamp=f"2026-05-0{day}T10:00:00.00000Z", Changes=changes)
        for day, changes in (
            (2, ["Priority", "owned_by"]),
            (3, ["PRIORITY", "ticket_status"]),
            (1, ["title"]),
        )
    ]


def test_it_is_a_click_away_from_every_event_of_the_record(three_changes, page_of):
    page = page_of(three_changes[0]).click("all its events")
    assert page.url.startswith(RECORD)
    assert "ticket 527331 of Default" in page.text
    assert "3 events are stored of this record" in page.text
    page = page.click("2026-05-01 12:00:00")
    assert page.url == f"{EVENTS}{three_changes[2].pk}/change/"


def test_the_events_are_in_the_order_in_which_they_occurred_the_newest_first(three_changes, viewer):
    assert of(viewer).cells("occurred") == [
        "2026-05-03 12:00:00",
        "2026-05-02 12:00:00",
        "2026-05-01 12:00:00",
    ]


def test_an_event_without_a_timestamp_occurred_when_it_was_received(event, viewer):
    event(Timestamp=None)
    event(Timestamp="2018-01-01T00:00:00.00000Z")
    assert [text.endswith("(received)") for text in of(viewer).cells("occurred")] == [True, False]


def test_a_row_says_what_who_how_much_and_what_came_of_it(event, viewer):
    event(ChangedByAssociateId=88, Changes=["priority", "owned_by"])
    event("ticket.created", ChangedByAssociateId=None, Changes=[])
    page = of(viewer)
    assert page.cells("event_name") == ["ticket.created", "ticket.changed"]
    assert page.cells("associate") == ["\u2013", "88"]
    assert page.cells("changed") == ["unknown", "2"]
    assert page.cells("status") == ["skipped", "skipped"]


def test_the_grid_says_in_words_which_field_changed_when(three_changes, viewer):
    assert grid(of(viewer)) == {
        "priority": ["changed", "changed", ""],
        "ticket_status": ["changed", "", ""],
        "owned_by": ["", "changed", ""],
        "title": ["", "", "changed"],
    }


def test_the_documented_ticket_has_its_47_fields_in_the_grid(post, viewer):
    post(documented("seed-ticket.changed"))
    shown = grid(of(viewer))
    assert shown.keys() == {name.lower() for name in Event.objects.get().changes}
    assert set(map(tuple, shown.values())) == {("changed",)}


def test_an_event_that_names_no_fields_may_have_changed_any(event, viewer):
    event("ticket.created", Changes=[])
    page = of(viewer)
    assert "Unknown: none of these events names its changed fields." in page.text
    assert "No event of this record is stored." not in page.text
    event(Changes=["priority"])
    page = of(viewer)
    assert grid(page) == {"priority": ["changed", "unknown"]}
    assert "Unknown: the event names no changed fields" in page.text


def test_other_records_are_other_records(event, viewer):
    event(Changes=["priority"])
    event(Changes=["a"], ContextIdentifier="Cust1")
    event(Changes=["b"], PrimaryKey=527332)
    event("sale.changed", Changes=["c"])
    assert list(grid(of(viewer))) == ["priority"]
    assert list(grid(of(viewer, tenant="Cust1"))) == ["a"]
    assert list(grid(of(viewer, primary_key=527332, entity="Ticket"))) == ["b"]
    assert list(grid(of(viewer, entity="sale"))) == ["c"]


def test_a_record_without_events_is_a_page_that_says_so(viewer):
    page = of(viewer, primary_key=1)
    assert page.status == 200
    assert "No event of this record is stored." in page.text


def test_a_record_may_lack_its_tenant(event, page_of):
    page = page_of(event("foo.bar", ContextIdentifier=None, PrimaryKey=0)).click("all its events")
    assert page.cells("event_name") == ["foo.bar"]
    assert "<h1>foo 0</h1>" in page.html


def test_without_an_entity_there_is_no_record(event, page_of):
    stored = event(".bar", ContextIdentifier=None, PrimaryKey=0)
    assert "all its events" not in page_of(stored).links


def test_long_histories_are_paged(event, viewer):
    event(Changes=["x_oldest"])
    copies(event(Changes=["x_between"]), 98)
    event(Changes=["x_newest"])
    newest = of(viewer)
    assert sorted(grid(newest)) == ["x_between", "x_newest"]
    assert "101 events are stored" in newest.text
    assert "Page 1 of 3" in newest.text
    assert "Newer events" not in newest.filters
    oldest = newest.filter("Older events").filter("Older events")
    assert list(grid(oldest)) == ["x_oldest"]
    assert "Older events" not in oldest.filters
    assert list(grid(oldest.filter("Newer events"))) == ["x_between"]


def test_fields_beyond_the_grids_bounds_are_named_or_counted(event, viewer):
    names = [f"x_{number:03}" for number in range(603)]
    event(Changes=names)
    page = of(viewer)
    assert list(grid(page)) == names[:100]
    assert f"Changed as well: {' '.join(names[100:600])} and 3 more" in page.text.replace(",", "")


def test_the_same_events_are_a_click_away_in_the_list(event, viewer):
    event(ContextIdentifier="Cust1")
    event(ContextIdentifier="Cust2")
    page = of(viewer, tenant="Cust1").click("Show in the list of events")
    assert page.cells("record") == ["ticket 527331 Cust1"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"entity": "ticket", "primary_key": "1"},
        {"tenant": "Default", "primary_key": "1"},
        {"tenant": "Default", "entity": "ticket"},
        *(
            {"tenant": "Default", "entity": "ticket", "primary_key": malformed}
            for malformed in ("", "x", "1.5", "²", "\x00", "--1", "9" * 19, "9" * 5000, "1\n")
        ),
    ],
)
def test_what_names_no_record_is_not_found(viewer, asked):
    assert viewer.get(RECORD, asked).status_code == 404


@pytest.mark.parametrize("nonsense", ["\x00", "🐘", "'", "%", "\\", "x" * 3000, "<script>alert(1)"])
def test_no_parameter_breaks_the_page(event, viewer, nonsense):
    event()
    for name in ("tenant", "entity"):
        assert "No event of this record" in of(viewer, **{name: nonsense}).text
    for number in (nonsense, "0", "-1", "99999", "9" * 5000, "²"):
        page = of(viewer, page=number)
        assert (page.status, page.cells("event_name")) == (200, ["ticket.changed"])
    assert "<script>alert" not in of(viewer, tenant=nonsense, entity=nonsense).html


def test_markup_in_a_delivery_is_text(post, viewer):
    evil = "<script>alert('1')</script>"
    post(body(f"{evil}.{evil}", ContextIdentifier=evil, Changes=[evil]))
    page = of(viewer, tenant=evil, entity=Event.objects.get().entity)
    assert page.cells("field") == [evil]
    assert "<script>alert" not in page.html


def test_fifty_events_take_as_many_queries_as_two(event, viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page = of(viewer)
        assert len(page.cells("event_name")) == Event.objects.count()
        return sum(query["sql"].startswith("SELECT") for query in captured)

    for number in range(2):
        event(Changes=["id", f"x_{number}"])
    assert queries() == 9
    for number in range(2, 50):
        event(Changes=["id", f"x_{number}"])
    assert queries() == 9


def test_the_events_are_read_without_their_bodies(event, viewer):
    event()
    with CaptureQueriesContext(connection) as captured:
        of(viewer)
    asked = " ".join(query["sql"] for query in captured.captured_queries)
    assert "superoffice_hooks_event" in asked
    for bulky in ("payload", "body", "headers", "problems"):
        assert bulky not in asked


def test_the_grid_scrolls_by_keyboard_and_has_names_for_who_cannot_see_it(event, viewer):
    event(Changes=["priority"])
    html = of(viewer).html
    assert 'role="region" aria-labelledby="grid-heading"' in html
    assert html.count('tabindex="0"') == 2
    assert '<th scope="row" class="field-field">priority</th>' in html
    assert '<span class="visually-hidden">changed</span>' in html


@pytest.mark.parametrize(("permissions", "status"), [((), 403), (("view_event",), 200)])
def test_it_is_for_those_who_may_view_events(db, permissions, status):
    assert of(logged_in("someone", *permissions, is_staff=True)).status == status


def test_strangers_are_asked_to_log_in(db, anonymous):
    answer = anonymous.get(f"{RECORD}?tenant=Default&entity=ticket&primary_key=1")
    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]


def test_who_may_see_some_events_only_sees_those_only(event, viewer, monkeypatch):
    real = EventAdmin.get_queryset
    monkeypatch.setattr(
        EventAdmin, "get_queryset", lambda *args: real(*args).exclude(tenant="Cust2")
    )
    event(ContextIdentifier="Cust2")
    assert "No event of this record" in of(viewer, tenant="Cust2").text


UNSEEN = "a\u202eb"


def test_what_cannot_be_seen_is_written_out(event, viewer):
    names = [UNSEEN, *(f"b{number:02}" for number in range(99)), f"z{UNSEEN}"]
    event(f"ticket.{UNSEEN}", ContextIdentifier=UNSEEN, Changes=names)
    page = of(viewer, tenant=UNSEEN)
    assert "\u202e" not in page.html
    assert page.cells("event_name") == ["ticket.a\\u202eb"]
    assert next(iter(grid(page))) == "a\\u202eb"
    assert "Changed as well: za\\u202eb" in page.text
    assert "of a\\u202eb" in page.text


def test_a_long_name_is_cut_and_opens_to_the_whole(event, viewer):
    event(Changes=["x" * 120])
    page = of(viewer)
    (field,) = grid(page)
    assert field.startswith("x" * 59 + "\u2026")
    assert "x" * 120 in page.text
