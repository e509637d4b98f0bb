"""How far the event list looks, and how one gets to what is older."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.admin.events import EventAdmin
from superoffice_hooks.models import Event
from superoffice_hooks.models.paging import pages

from .conftest import EVENTS, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def most(monkeypatch) -> int:
    """The list looks through so many events at a time."""
    monkeypatch.setattr(pages, "MAX_ROWS", 4)
    return 4


def numbers(page: Page) -> list[int]:
    return [int(record.split()[1]) for record in page.cells("record")]


def test_a_list_that_reaches_the_first_event_says_nothing_of_reach(event, viewer, most):
    for number in range(most):
        event(PrimaryKey=number)
    page = Page.get(viewer, EVENTS)
    assert numbers(page) == [3, 2, 1, 0]
    assert "searches" not in page.text
    assert "Older events" not in page.filters


def test_older_events_are_a_click_away_and_none_is_left_out(event, viewer, most):
    for number in range(10):
        event(PrimaryKey=number)
    page = Page.get(viewer, EVENTS)
    seen = numbers(page)
    assert "This list searches 4 events at a time, and has reached 20" in page.text
    while "Older events" in page.filters:
        page = page.filter("Older events")
        seen += numbers(page)
    assert seen == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert numbers(page.filter("Newest events")) == [9, 8, 7, 6]


def test_events_received_at_one_moment_stay_together(event, viewer, most):
    for number in range(6):
        event(PrimaryKey=number)
    Event.objects.update(received_at=Event.objects.latest("pk").received_at)
    page = Page.get(viewer, EVENTS)
    assert numbers(page) == [5, 4, 3, 2, 1, 0]


@pytest.mark.usefixtures("one_attempt")
@pytest.mark.parametrize(
    "query", ["?name=sale.sold", "?tenant=Cust1", "?status__exact=failed", "?changed=amount",
              "?receiver=tests.admin.conftest.raises", "?q=18", "?q=sale+18",
              "?name=sale.sold&entity=sale", "?name=sale.*&changed=amount"]
)  # fmt: skip
def test_what_an_index_finds_is_shown_however_old_it_is(event, connect, viewer, most, query):
    connect(signals.sale_sold, raises)
    event("sale.sold", PrimaryKey=18, ContextIdentifier="Cust1", Changes=["amount"])
    for _ in range(9):
        event(Changes=["priority"])
    assert numbers(Page.get(viewer, f"{EVENTS}{query}")) == [18]


@pytest.mark.parametrize("query", ["?entity=sale", "?name=sale.*", "?webhook=Sales", "?q=sal"])
def test_what_no_index_finds_is_looked_for_a_stretch_at_a_time(event, viewer, most, query):
    event("sale.sold", PrimaryKey=18, WebhookName="Sales")
    for _ in range(7):
        event()
    page = Page.get(viewer, f"{EVENTS}{query}")
    assert numbers(page) == []
    page = page.filter("Older events")
    assert numbers(page) == [18]
    assert "Older events" not in page.filters


def test_the_rarest_of_several_filters_leads_furthest_back(event, viewer, most):
    event("sale.sold", PrimaryKey=1, ContextIdentifier="Cust1")
    for number in range(9):
        event("sale.sold" if number % 3 else "sale.lost", ContextIdentifier="Cust1")
        event("ticket.changed", ContextIdentifier="Cust2")
    page = Page.get(viewer, f"{EVENTS}?name=sale.lost&tenant=Cust1")
    assert len(page.cells("event_name")) == 3
    assert "Older events" not in page.filters
    page = Page.get(viewer, f"{EVENTS}?name=sale.sold&tenant=Cust1")
    assert "Older events" in page.filters


def test_what_was_ticked_is_replayed_though_a_burst_put_it_out_of_reach(event, replayer, most):
    chosen = event(PrimaryKey=18)
    page = Page.get(replayer, EVENTS)
    for _ in range(7):
        event()
    page = page.submit("action", action="replay", _selected_action=[str(chosen.pk)])
    assert "Replay 1 event" in page.text


def test_all_events_means_those_the_list_looked_through(event, replayer, most, monkeypatch):
    monkeypatch.setattr(EventAdmin, "list_per_page", 2)
    events = [event() for _ in range(7)]
    page = Page.get(replayer, EVENTS)
    assert "4 events" in page.text
    page = page.submit(
        "action", action="replay", _selected_action=[str(events[-1].pk)], select_across="1"
    )
    assert "Replay 4 events" in page.text
