"""A project may hide events from users in ``get_queryset`` of its own EventAdmin."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.admin import EventAdmin, RejectionAdmin, WatchAdmin
from superoffice_hooks.models import Event, FailureGroup, Rejection, Replay, Watch
from superoffice_hooks.replay.running import Criteria, plan, replay

from ..conftest import body
from .conftest import EVENTS, GROUPS, REJECTIONS, REPLAYS, WATCHES, raises
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


def test_the_page_of_a_replay_has_no_run_for_an_event_that_is_hidden(replayer):
    replay(plan(Criteria(), who="bob", reason="for both tenants"))
    text = Page.get(replayer, f"{REPLAYS}{Replay.objects.get().pk}/change/").text
    assert "ticket.changed" in text
    assert [word for word in (*HIDDEN, "what only Cust2 may know") if word in text] == []


def test_no_search_finds_a_group_by_the_error_of_an_event_that_is_hidden(viewer):
    FailureGroup.objects.filter(receiver__endswith="raises").update(error="of a hidden event")
    assert Page.get(viewer, f"{GROUPS}?q=hidden").cells("cause") == []
    assert len(Page.get(viewer, f"{GROUPS}?q=ValueError").cells("cause")) == 1


def test_rejections_that_are_hidden_are_neither_counted_nor_suggested(post, viewer, monkeypatch):
    for reason, endpoint in (("of ours", "here"), ("of others", "elsewhere")):
        post(body(), secret=None)
        Rejection.objects.filter(reason="signature missing").update(
            reason=reason, endpoint=endpoint
        )
    whole = RejectionAdmin.get_queryset
    monkeypatch.setattr(
        RejectionAdmin, "get_queryset", lambda *args: whole(*args).filter(endpoint="here")
    )
    for url in (f"{EVENTS}overview/", REJECTIONS):
        text = Page.get(viewer, url).text
        assert "of ours" in text
        assert "of others" not in text
        assert "elsewhere" not in text


def test_the_page_of_a_webhook_that_is_hidden_is_not_there(replayer, monkeypatch):
    for endpoint in ("here", "elsewhere"):
        Watch.note(endpoint, state="Active", tenant="Cust1")
    whole = WatchAdmin.get_queryset
    monkeypatch.setattr(
        WatchAdmin, "get_queryset", lambda *args: whole(*args).filter(endpoint="here")
    )
    assert Page.get(replayer, f"{WATCHES}here/webhook/").status == 200
    assert Page.get(replayer, f"{WATCHES}elsewhere/webhook/").status == 404
    assert "elsewhere" not in Page.get(replayer, WATCHES).text
