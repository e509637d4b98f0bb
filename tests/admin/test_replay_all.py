"""Replay all that match: from the filters of the list to criteria."""

import pytest
from django.http import QueryDict

from superoffice_hooks.admin.criteria import of_filters
from superoffice_hooks.models.paging import pages

from .conftest import EVENTS
from .page import Page

LINK = "Replay all that match"


@pytest.mark.django_db
class TestTheLink:
    def test_it_means_more_events_than_the_list_looks_through(self, event, replayer, monkeypatch):
        monkeypatch.setattr(pages, "MAX_ROWS", 4)
        for number in range(10):
            event(PrimaryKey=number)
        event("contact.changed")
        page = Page.get(replayer, f"{EVENTS}?entity=ticket").click(LINK)
        assert "Replay 10 events" in page.text

    def test_our_own_can_be_left_out(self, event, replayer):
        event()
        page = Page.get(replayer, f"{EVENTS}?own=no").click(LINK)
        assert "Replay 1 event" in page.text

    def test_without_a_filter_there_is_no_replay_of_everything(self, event, replayer):
        event()
        assert LINK not in Page.get(replayer, EVENTS).text

    def test_what_no_criterion_says_is_not_offered(self, event, replayer):
        event()
        assert LINK not in Page.get(replayer, f"{EVENTS}?q=527331").text

    def test_who_may_only_look_is_offered_none(self, event, viewer):
        event()
        assert LINK not in Page.get(viewer, f"{EVENTS}?entity=ticket").text


@pytest.mark.parametrize(
    ("query", "criteria"),
    [
        ("status__exact=failed&tenant=Cust1", {"status": "failed", "tenant": "Cust1"}),
        ("own=yes", {"is_own": True}),
        ("webhook=CRM&endpoint=sales", {"webhook_name": "CRM", "endpoint": "sales"}),
        ("changed=priority&o=1&p=2", {"changed": ("priority",)}),
        ("name=ticket.*", {"name": "ticket.*"}),
        ("receiver=a.b&outcome=failed", {"receiver": "a.b", "outcome": "failed"}),
        ("problems=yes", {"problems": True}),
        ("id__in=1,2", {"ids": (1, 2)}),
        ("q=527331", None),
        ("own=maybe", None),
        ("received=yesterday", None),
        ("received=hour&received_at__gte=2026-05-19T14:30", None),
        ("received_at__lt=soon", None),
        ("tenant=a&tenant=b", None),
    ],
)
def test_filters_become_criteria_only_if_they_mean_the_same(query, criteria):
    found = of_filters(QueryDict(query))
    assert (found and found.values()) == criteria
