"""Mark as handled: a failed event that a person has dealt with otherwise."""

from typing import Any

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from .conftest import EVENTS, raises
from .page import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


@pytest.fixture
def failed(event, connect):
    connect(signals.ticket_changed, raises)
    return event()


def page_of(client, event: Event) -> Page:
    return Page.get(client, f"{EVENTS}{event.pk}/change/")


def test_a_failed_event_is_marked_with_who_and_why(failed, replayer):
    page = page_of(replayer, failed).click("Mark as handled")
    assert "No receiver is called." in page.text
    page = page.submit("reason", reason="Called the customer <b>twice</b>")
    assert "The event is marked as handled." in page.text
    assert "failed, and was handled by rita: Called the customer <b>twice</b>" in page.text
    assert "<b>twice</b>" not in page.html
    stored = Event.objects.get()
    assert (stored.status, stored.handled_by) == ("handled", "rita")
    assert stored.runs.count() == 1


def test_a_reason_is_needed(failed, replayer):
    page = page_of(replayer, failed).click("Mark as handled").submit("reason", reason=" ")
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
    page = asked.submit("reason", reason="Too late")
    assert "Only an event that has failed can be marked as handled." in page.text
    assert Event.objects.get().status == status


def test_a_handled_event_can_still_be_replayed(failed, replayer):
    page_of(replayer, failed).click("Mark as handled").submit("reason", reason="By hand")
    signals.ticket_changed.disconnect(raises)
    signals.ticket_changed.connect(content, weak=False)
    try:
        page = page_of(replayer, failed).click("Replay").submit("reason", reason="After all")
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


def undo(client, event: Event) -> Any:
    url = f"{EVENTS}{event.pk}/"
    page = Page.get(client, f"{url}change/")
    token = next(value for name, value in page.forms[-1].fields if name == "csrfmiddlewaretoken")
    return client.post(f"{url}undo-handled/", {"csrfmiddlewaretoken": token}).status_code


class TestSeveral:
    """Selected in the list, with one reason and one POST."""

    @pytest.fixture
    def three(self, event, connect) -> list[Event]:
        """Two failed events and one that succeeded."""
        connect(signals.ticket_changed, raises)
        return [event(PrimaryKey=1), event("sale.sold", PrimaryKey=2), event(PrimaryKey=3)]

    def select(self, client, action: str, events: list[Event], query: str = "") -> Page:
        page = Page.get(client, f"{EVENTS}{query}")
        keys = [str(event.pk) for event in events]
        return page.submit("action", action=action, _selected_action=keys)

    def test_those_that_failed_are_marked_and_undone(self, three, replayer):
        page = self.select(replayer, "handle", three)
        assert "Mark 2 events as handled" in page.text
        assert "No receiver is called." in page.text
        page = page.submit("reason", reason="Called <b>both</b>")
        assert "2 events are marked as handled." in page.text
        assert statuses() == ["handled", "skipped", "handled"]
        page = page.click("Show them")
        assert page.cells("record") == ["ticket 3 Default", "ticket 1 Default"]
        page = self.select(replayer, "undo_handled", three)
        assert "2 events count as failed again." in page.text
        assert statuses() == ["failed", "skipped", "failed"]
        rows = Event.objects.get(pk=three[0].pk).handlings.values_list("who", "reason", "undone_by")
        assert list(rows) == [("rita", "Called <b>both</b>", "rita")]

    def test_a_reason_is_needed(self, three, replayer):
        page = self.select(replayer, "handle", three).submit("reason", reason=" ")
        assert "This field is required." in page.text
        assert "Mark 2 events as handled" in page.text
        assert "handled" not in statuses()

    def test_the_filters_of_the_list_are_kept(self, three, replayer):
        page = self.select(replayer, "handle", three[:1], "?entity=ticket")
        assert page.click("Cancel").url == f"{EVENTS}?entity=ticket"
        page = page.submit("reason", reason="By phone")
        assert page.url == f"{EVENTS}?entity=ticket"

    def test_nothing_that_failed_is_no_page(self, three, replayer):
        page = self.select(replayer, "handle", three[1:2])
        assert "Only an event that has failed can be marked as handled." in page.text

    def test_too_many_are_refused(self, three, replayer, monkeypatch):
        monkeypatch.setattr("superoffice_hooks.admin.EventAdmin.max_selected", 1)
        page = self.select(replayer, "handle", three)
        assert "Please select 1 events at most" in page.text
        Event.objects.update(status="handled")
        page = self.select(replayer, "undo_handled", three)
        assert "Please select 1 events at most" in page.text
        assert statuses() == ["handled"] * 3

    @pytest.mark.parametrize("ids", ["", "x", "1,,2", "1 OR 1=1"])
    def test_what_is_no_list_of_keys_marks_nothing(self, three, replayer, ids):
        page = self.select(replayer, "handle", three).submit("reason", reason="Mine", ids=ids)
        assert page.status == 200
        assert "handled" not in statuses()

    def test_who_may_only_look_is_refused(self, three, viewer):
        page = Page.get(viewer, EVENTS)
        assert "as handled" not in page.text
        (token,) = {v for form in page.forms for k, v in form.fields if k == "csrfmiddlewaretoken"}
        for action in ("handle", "undo_handled"):
            sent = {"action": action, "_selected_action": three[0].pk, "csrfmiddlewaretoken": token}
            assert viewer.post(EVENTS, sent).status_code == 403
        sent = {"ids": three[0].pk, "reason": "Mine", "csrfmiddlewaretoken": token}
        assert viewer.post(f"{EVENTS}handle-selected/", sent).status_code == 403
        assert undo(viewer, three[0]) == 403
        assert statuses() == ["failed", "skipped", "failed"]


def statuses() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("status", flat=True))


def test_one_is_undone_on_its_page(failed, replayer):
    page_of(replayer, failed).click("Mark as handled").submit("reason", reason="By phone")
    assert undo(replayer, failed) == 302
    page = page_of(replayer, failed)
    assert "The event counts as failed again." in page.text
    assert Event.objects.get().status == "failed"
    assert undo(replayer, failed) == 302
    assert "The event is not marked as handled." in page_of(replayer, failed).text


def test_a_link_undoes_nothing(failed, replayer):
    for url in (f"{EVENTS}{failed.pk}/undo-handled/", f"{EVENTS}handle-selected/"):
        assert replayer.get(url).status_code == 405
