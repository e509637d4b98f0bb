"""The criterion ``problems``: events in which something was odd."""

import pytest
from django.core.management import call_command

from superoffice_hooks.models import Event, Replay
from superoffice_hooks.replay.criteria import Criteria, select

from ..admin.conftest import EVENTS, logged_in
from ..admin.page import Page
from ..conftest import body

pytestmark = pytest.mark.django_db


@pytest.fixture
def odd(post) -> Event:
    """An event with a problem, beside one without."""
    post(body("sale.sold"))
    post(body("ticket.changed"))
    Event.objects.filter(name="ticket.changed").update(problems=[])
    Event.objects.filter(name="sale.sold").update(problems=["Timestamp is no time"])
    return Event.objects.get(name="sale.sold")


def test_it_selects_events_with_problems_or_without(odd):
    assert list(select(Criteria(problems=True))) == [odd]
    assert list(select(Criteria(problems=False))) == [Event.objects.get(name="ticket.changed")]


@pytest.mark.parametrize("value", [True, "true"])
def test_the_command_offers_it(odd, value):
    call_command("superoffice_replay", problems=value)
    replay = Replay.objects.get()
    assert (replay.criteria, replay.planned) == ({"problems": True}, 1)


def test_the_list_of_the_admin_offers_it(odd):
    viewer = logged_in("rita", "view_event", is_staff=True)
    page = Page.get(viewer, EVENTS)
    assert page.filter("with problems").cells("event_name") == ["sale.sold"]
    assert page.filter("without problems").cells("event_name") == ["ticket.changed"]
