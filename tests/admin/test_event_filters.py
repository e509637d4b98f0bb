"""The filters of the event list: what they offer, and what they leave."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.admin import EventAdmin
from superoffice_hooks.models import Event
from superoffice_hooks.models.paging import pages

from ..conftest import Poster, body, connecting
from .conftest import EVENTS, VIEW, logged_in, raises
from .page import Page
from .test_events import found, listed

pytestmark = pytest.mark.django_db

RAISES = "tests.admin.conftest.raises"


def succeeds(**kwargs):
    """A receiver that is content with everything."""


class TestRows:
    @pytest.fixture(scope="class")
    @classmethod
    def viewer(cls, rows_of_the_class) -> Client:
        """Who looks at a ticket that failed, and at a contact."""
        post = Poster()
        hooks = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 1}
        with override_settings(SUPEROFFICE_HOOKS=hooks), connecting() as connect:
            connect(signals.ticket_changed, raises)
            connect(signals.contact_changed, succeeds)
            other = {"ContextIdentifier": "Cust2", "Changes": ["name"], "WebhookName": "All"}
            post(body("contact.changed", **other))
            wanted = {"ContextIdentifier": "Cust1", "WebhookName": "Tickets"}
            post(body("ticket.changed", Changes=["Priority", "dotted.name"], **wanted))
        return logged_in("vera", *VIEW, is_staff=True)

    @pytest.mark.usefixtures("one_attempt")
    @pytest.mark.parametrize(
        "query",
        [
            "?name=ticket.changed",
            "?name=Ticket.Changed",
            "?name=ticket.*",
            "?entity=Ticket",
            "?tenant=Cust1",
            "?changed=priority",
            "?changed=+PRIORITY+",
            "?changed=dotted.name&entity=ticket",
            "?status__exact=failed",
            "?webhook=Tickets",
            f"?receiver={RAISES}",
            f"?receiver={RAISES}&outcome=failed",
            "?outcome=failed",
            "?received=hour&name=ticket.changed",
            "?received_at__gte=2020-01-01T00:00Z&name=ticket.changed",
        ],
    )
    @pytest.mark.parametrize("few", [0, 1000])
    def test_a_filter_leaves_what_it_names(self, connect, viewer, query, few, monkeypatch):
        """Whether an index of few events or the list itself finds it."""
        monkeypatch.setattr(pages, "MAX_KEYS", few)
        connect(signals.ticket_changed, raises)
        connect(signals.contact_changed, succeeds)
        assert listed(viewer, query) == ["ticket.changed"]


def test_an_endpoint_is_a_filter(event, viewer):
    event("contact.changed")
    Event.objects.update(endpoint="other")
    event("ticket.changed")
    assert found(viewer, "?endpoint=other") == ["contact.changed"]
    assert Page.get(viewer, EVENTS).filter("default").cells("event_name") == ["ticket.changed"]


def test_what_is_empty_is_no_filter(event, viewer):
    event()
    query = "?name=&changed=&receiver=&outcome=&received=&received_at__gte=&received_at__lt=+"
    assert found(viewer, f"{query}&status__exact=") == ["ticket.changed"]


def test_the_filters_offer_what_was_sent(event, viewer):
    event("y_car.changed", ContextIdentifier="Cust2", Changes=["x_plate"])
    page = Page.get(viewer, EVENTS)
    for choice in ("y_car.changed", "y_car", "Cust2", "Name you provided", "Last hour"):
        assert page.filter(choice).cells("event_name") == ["y_car.changed"]
    assert page.filter("succeeded").cells("event_name") == []
    assert '<option value="x_plate">' in page.html


def test_many_names_are_suggested_and_not_listed(event, viewer):
    for number in range(7):
        event(ContextIdentifier=f"Cust{number}")
    page = Page.get(viewer, EVENTS)
    assert "Cust3" not in page.filters
    assert '<option value="Cust3">' in page.html
    page = page.submit("tenant", tenant="Cust3")
    assert page.cells("record") == ["ticket 527331 Cust3"]
    assert page.filter("Any tenant").url.startswith(EVENTS)


def test_connected_receivers_are_offered_with_the_outcomes_of_their_runs(event, connect, viewer):
    connect(signals.ticket_changed, raises)
    event()
    page = Page.get(viewer, EVENTS)
    assert f'<option value="{RAISES}">' in page.html
    page = page.submit("receiver", receiver=RAISES, outcome="failed")
    assert page.cells("event_name") == ["ticket.changed"]
    assert '<option value="failed" selected>' in page.html
    assert page.submit("receiver", outcome="succeeded").cells("event_name") == []
    assert "outcome=" not in page.filter("Any receiver").url


def test_a_typed_filter_goes_with_the_others_and_begins_at_the_first_page(event, viewer):
    event("contact.changed", Changes=["name"], PrimaryKey=5)
    event("person.changed", Changes=["name"], PrimaryKey=5)
    page = Page.get(viewer, f"{EVENTS}?entity=person&p=1&q=5").submit("changed", changed="name")
    assert page.cells("event_name") == ["person.changed"]
    page = page.filter("Any changed field")
    assert page.url == f"{EVENTS}?entity=person&q=5"


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


def received(event, *moments: datetime) -> None:
    for number, moment in enumerate(moments):
        stored = event(f"y_{number}.changed")
        Event.objects.filter(pk=stored.pk).update(received_at=moment)


def test_the_presets_look_back_from_now(event, viewer):
    ago = (timedelta(minutes=50), timedelta(hours=23), timedelta(days=6), timedelta(days=29),
           timedelta(days=31))  # fmt: skip
    received(event, *(timezone.now() - age for age in ago))
    page = Page.get(viewer, f"{EVENTS}?received_at__lt=2020-01-01")
    assert page.cells("event_name") == []
    presets = ("Last hour", "Last 24 hours", "Last 7 days", "Last 30 days", "Any time")
    assert [len(page.filter(preset).cells("event_name")) for preset in presets] == [1, 2, 3, 4, 5]


def test_a_range_is_typed_in_the_time_of_the_admin_and_shown_as_it_was_typed(event, viewer):
    received(event, *(datetime(2026, 7, 1, hour, 30, tzinfo=UTC) for hour in (9, 10, 11)))
    page = Page.get(viewer, f"{EVENTS}?q=&tenant=Default").submit(
        "received_at__gte", received_at__gte="2026-07-01T12:30", received_at__lt="2026-07-01T13:30"
    )
    assert page.cells("event_name") == ["y_1.changed"]
    assert 'value="2026-07-01T12:30"' in page.html
    assert "tenant=Default" in page.url
    assert found(viewer, "?received_at__gte=2026-07-01T12:30:00.5") == ["y_2.changed"]
    assert found(viewer, "?received_at__gte=2026-07-01T11:30Z") == ["y_2.changed"]
    assert found(viewer, "?received_at__lt=2026-07-01T11:30:01") == ["y_0.changed"]


@pytest.mark.parametrize(
    "hour", ["2026-10-25T02:30", "2026-03-29T02:30"], ids=["twice", "not at all"]
)
def test_an_hour_that_the_clock_has_twice_or_not_at_all_is_no_error(event, viewer, hour):
    event()
    page = Page.get(viewer, f"{EVENTS}?received_at__lt={hour}")
    assert "is not a date and time" not in page.text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("received_at__gte=yesterday", "yesterday is not a date and time"),
        ("received_at__lt=2026-13-01T00:00", "2026-13-01T00:00 is not a date and time"),
        ("received_at__lt=0001-01-01T00:00", "0001-01-01T00:00 is not a date and time"),
        ("received_at__lt=9999-12-31T23:59-12:00", "is not a date and time"),
        (f"received_at__lt={'9' * 5000}", "is not a date and time"),
        ("received=century", "There is no such time: century"),
    ],
)
def test_a_time_that_is_none_is_told_and_shows_nothing(event, viewer, query, problem):
    event()
    page = Page.get(viewer, f"{EVENTS}?{query}")
    assert problem in page.text
    assert page.cells("event_name") == []


def test_a_project_without_time_zones_types_its_own_time(event, viewer):
    with override_settings(USE_TZ=False):
        received(event, datetime(2026, 7, 1, 9, 30), datetime(2026, 7, 1, 10, 30))  # noqa: DTZ001
        assert found(viewer, "?received_at__gte=2026-07-01T10:00") == ["y_1.changed"]
        offset = "?received_at__gte=2026-07-01T08:00Z"
        assert found(viewer, offset) == ["y_1.changed"]


def test_every_filter_has_a_parameter_or_a_column_that_themes_can_read():
    """As those of Django itself have; django-unfold 0.91 fails where one has neither."""
    for spec in EventAdmin.list_filter:
        assert any(hasattr(spec, name) for name in ("parameter_name", "field_path")), spec


def test_what_reorders_text_is_visible_in_the_choices_of_a_filter(event, viewer):
    event(ContextIdentifier="\u202eCust1")
    page = Page.get(viewer, EVENTS)
    assert "\u202e" not in page.text
    assert page.filter("\\u202eCust1").cells("record") == ["ticket 527331 \\u202eCust1"]
