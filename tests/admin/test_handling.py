"""Mark as handled: a failed event that a person has dealt with otherwise."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from .conftest import EVENTS, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed(event, connect):
    connect(signals.ticket_changed, raises)
    return event()


def page_of(client, event: Event) -> Page:
    return Page.get(client, f"{EVENTS}{event.pk}/change/")


def test_a_failed_event_is_marked_with_who_and_why(failed, replayer):
    page = page_of(replayer, failed).click("Mark as handled")
    assert "No receiver is called." in page.text
    page = page.submit("why", why="Called the customer <b>twice</b>")
    assert "The event is marked as handled." in page.text
    assert "failed, and was handled by rita: Called the customer <b>twice</b>" in page.text
    assert "<b>twice</b>" not in page.html
    stored = Event.objects.get()
    assert (stored.status, stored.handled_by) == ("handled", "rita")
    assert stored.runs.count() == 1


def test_a_reason_is_needed(failed, replayer):
    page = page_of(replayer, failed).click("Mark as handled").submit("why", why=" ")
    assert "This field is required." in page.text
    assert Event.objects.get().status == "failed"


def test_it_can_be_cancelled(failed, replayer):
    page = page_of(replayer, failed).click("Mark as handled").click("Cancel")
    assert page.url.endswith(f"{failed.pk}/change/")
    assert Event.objects.get().status == "failed"


@pytest.mark.parametrize("status", ["pending", "succeeded", "skipped", "handled"])
def test_only_what_has_failed_can_be_handled(failed, replayer, status):
    asked = page_of(replayer, failed).click("Mark as handled")
    Event.objects.update(status=status)
    assert "Mark as handled" not in page_of(replayer, failed).links
    page = asked.submit("why", why="Too late")
    assert "Only an event that has failed can be marked as handled." in page.text
    assert Event.objects.get().status == status


def test_a_handled_event_can_still_be_replayed(failed, replayer):
    page_of(replayer, failed).click("Mark as handled").submit("why", why="By hand")
    signals.ticket_changed.disconnect(raises)
    signals.ticket_changed.connect(content, weak=False)
    try:
        page = page_of(replayer, failed).click("Replay").submit("why", why="After all")
    finally:
        signals.ticket_changed.disconnect(content)
        signals.ticket_changed.connect(raises, weak=False)
    assert "1 succeeded" in page.text


def content(**kwargs):
    """A receiver that is content with everything."""


def test_who_may_only_look_has_no_button_and_is_refused(failed, viewer, clerk, anonymous):
    url = f"{EVENTS}{failed.pk}/handle/"
    assert "Mark as handled" not in page_of(viewer, failed).text
    for client in (viewer, clerk):
        assert client.get(url).status_code == 403
    assert anonymous.get(url).status_code == 302
    assert Event.objects.get().status == "failed"


def test_an_event_that_is_not_there(replayer):
    assert replayer.get(f"{EVENTS}4711/handle/").status_code == 404
