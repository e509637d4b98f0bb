"""What came in: names and changed fields, each count a click away from the events it counts."""

import re

import pytest

from superoffice_hooks import signals

from ..copies import copies
from .conftest import raises
from .page import Page
from .test_overview import TRAFFIC, move, rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


class TestEventsByName:
    def test_each_name_has_its_events_and_its_failed_ones(self, event, connect, viewer):
        connect(signals.sale_sold, raises)
        for name in ("sale.sold", "sale.sold", "sale.sold", "contact.changed"):
            event(name)
        move(event("sale.sold"), 48)
        page = Page.get(viewer, TRAFFIC)
        assert rows(page, "names") == ["sale.sold 3 3", "contact.changed 1 0"]
        assert page.click("sale.sold").cells("event_name") == ["sale.sold"] * 3
        assert page.click("contact.changed").cells("event_name") == ["contact.changed"]

    def test_the_failed_ones_are_a_click_away(self, event, connect, viewer):
        connect(signals.ticket_changed, lambda event, **kwargs: 1 // event.primary_key)
        event(PrimaryKey=0)
        for _ in range(2):
            event(PrimaryKey=1)
        page = Page.get(viewer, TRAFFIC)
        assert rows(page, "names") == ["ticket.changed 3 1"]
        link = re.findall(r'<a href="([^"]*status__exact=failed[^"]*name=[^"]*)">1</a>', page.html)
        assert Page.get(viewer, link[0].replace("&amp;", "&")).cells("record") == [
            "ticket 0 Default"
        ]

    def test_an_event_without_a_name_is_found_by_that(self, post, event, viewer):
        event()
        post(b"{}")
        page = Page.get(viewer, TRAFFIC)
        assert rows(page, "names") == ["(no name) 1 0", "ticket.changed 1 0"]
        assert page.click("(no name)").cells("event_name") == ["(no name)"]

    def test_rare_names_are_counted_together(self, event, viewer):
        stored = event("sale.sold")
        copies(stored, 15, name=lambda number: f"sale.a{number % 15:02}")
        copies(stored, 15, name=lambda number: f"sale.a{number % 15:02}")
        event("contact.changed")
        shown = rows(Page.get(viewer, TRAFFIC), "names")
        assert shown == [*(f"sale.a{number:02} 2 0" for number in range(15)), "other names 2"]


def test_changed_fields_lead_to_the_events_that_changed_them(event, viewer):
    event("ticket.changed", Changes=["Priority", "title"])
    event("ticket.created", Changes=["title"])
    event("sale.changed", Changes=["priority"])
    move(event("ticket.changed", Changes=["priority"]), 48)
    page = Page.get(viewer, TRAFFIC)
    assert rows(page, "fields") == ["ticket.title 2", "sale.priority 1", "ticket.priority 1"]
    assert page.click("ticket.title").cells("event_name") == ["ticket.created", "ticket.changed"]
    assert page.click("sale.priority").cells("event_name") == ["sale.changed"]
    assert page.click("ticket.priority").cells("event_name") == ["ticket.changed"]
