"""A project may hide events from users in ``get_queryset`` of its own EventAdmin."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.admin import EventAdmin
from superoffice_hooks.models import Event, FailureGroup

from .conftest import EVENTS, GROUPS, raises
from .page import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt", "two_tenants")]

HIDDEN = ("sale.sold", "Cust2", "secret_field", "Hidden webhook", "elsewhere")


def fails(**kwargs):
    raise RuntimeError("what only Cust2 may know")


@pytest.fixture
def two_tenants(event, connect, post, monkeypatch) -> None:
    """A failed event of each of two tenants, of which users see those of one."""
    connect(signals.sale_sold, fails)
    connect(signals.any_event, raises)
    event("sale.sold", ContextIdentifier="Cust2", Changes=["secret_field"])
    Event.objects.update(webhook_name="Hidden webhook", endpoint="elsewhere")
    event("ticket.changed", ContextIdentifier="Cust1", Changes=["priority"])
    whole = EventAdmin.get_queryset
    monkeypatch.setattr(
        EventAdmin, "get_queryset", lambda *args: whole(*args).filter(tenant="Cust1")
    )


def test_the_filters_suggest_nothing_of_events_that_are_hidden(viewer):
    page = viewer.get(EVENTS).content.decode()
    for word in ("ticket.changed", "Cust1", "priority"):
        assert word in page
    assert [word for word in HIDDEN if word in page] == []


def test_what_an_entity_of_hidden_events_has_is_not_suggested_either(viewer):
    page = viewer.get(f"{EVENTS}?entity=sale").content.decode()
    assert "secret_field" not in page


@pytest.mark.parametrize("page", ["overview", "receivers", "traffic"])
def test_no_figure_and_no_error_is_of_hidden_events(replayer, page):
    text = Page.get(replayer, f"{EVENTS}{page}/").text
    # Which receiver is connected to which signal is no secret.
    named = HIDDEN[1:] if page == "receivers" else HIDDEN
    assert [word for word in (*named, "what only Cust2 may know") if word in text] == []


def test_the_receivers_are_those_that_were_called_for_visible_events(viewer):
    text = Page.get(viewer, f"{EVENTS}receivers/").text
    assert text.count("100.0 % (1)") == 1


def test_no_group_has_the_error_of_an_event_that_is_hidden(viewer):
    # Opened by a hidden event, and visible, for another one is in it.
    FailureGroup.objects.filter(receiver__endswith="raises").update(error="of a hidden event")
    for url in (GROUPS, f"{EVENTS}overview/"):
        text = Page.get(viewer, url).text
        assert "ValueError" in text
        assert "of a hidden event" not in text
        assert "RuntimeError" not in text
