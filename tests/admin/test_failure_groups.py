"""Failure groups: what fails for which cause, replayed, handled, muted and resolved."""

import pytest
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import include, path

from superoffice_hooks import signals
from superoffice_hooks.admin import EventAdmin, FailureGroupAdmin
from superoffice_hooks.models import Event, FailureGroup, Replay

from .conftest import EVENTS, GROUPS, logged_in, raises
from .page import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]

PERMISSIONS = ("view_event", "view_failuregroup", "replay_event", "triage_failuregroup")


class FirstTenant(EventAdmin):
    """A project's own ModelAdmin, which hides the events of other tenants."""

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).filter(tenant="Cust1")


OWN = AdminSite("own")
OWN.register(Event, FirstTenant)
OWN.register(FailureGroup, FailureGroupAdmin)
ALONE = AdminSite("alone")
ALONE.register(FailureGroup, FailureGroupAdmin)

urlpatterns = [
    path("own/", OWN.urls),
    path("alone/", ALONE.urls),
    path("superoffice/", include("superoffice_hooks.urls")),
]


@pytest.fixture
def operator(db):
    return logged_in("olga", *PERMISSIONS, is_staff=True)


@pytest.fixture
def watcher(db):
    return logged_in("wim", "view_event", "view_failuregroup", is_staff=True)


@pytest.fixture
def failed(event, connect):
    """Two events, which failed for the same cause."""
    connect(signals.ticket_changed, raises)
    return [event(FieldValues={}), event(FieldValues={})]


def group_page(client) -> Page:
    return Page.get(client, f"{GROUPS}{FailureGroup.objects.get().pk}/change/")


def test_the_list_shows_each_cause_once(failed, operator):
    page = Page.get(operator, GROUPS)
    assert page.cells("state_word") == ["open"]
    assert page.cells("cause") == ["ValueError: no <b>such</b> ticket tests.admin.conftest.raises"]
    assert "<b>such</b>" not in page.html
    assert page.cells("still") == ["2"]


def test_a_number_leads_to_exactly_the_events_that_it_counts(failed, event, operator):
    event("ticket.created", FieldValues={})
    page = Page.get(operator, GROUPS).click("2")
    assert page.status == 200
    assert len(page.cells("status_word")) == 2


def test_the_page_has_an_example_with_the_projects_own_frames(failed, operator):
    page = group_page(operator)
    assert "2 events are still failed for this cause." in page.text
    assert "tests/admin/conftest.py:raises" in page.text
    assert 'raise ValueError("no <b>such</b> ticket")' in page.text
    assert "<b>such</b>" not in page.html
    assert "ticket 527331 of Default" in page.links
    assert page.click("All of them").status == 200


def test_two_clicks_replay_what_failed(failed, operator):
    signals.ticket_changed.disconnect(raises)
    calls = []

    def mended(event, **kwargs):
        calls.append(event.pk)

    mended.__module__, mended.__qualname__ = raises.__module__, raises.__qualname__
    signals.ticket_changed.connect(mended, weak=False)
    try:
        page = group_page(operator).click("Replay these events")
        page = page.submit("reason", reason="mended")
    finally:
        signals.ticket_changed.disconnect(mended)
    assert sorted(calls) == [event.pk for event in failed]
    replay = Replay.objects.get()
    assert (replay.only_failed, replay.receivers) == (True, ["tests.admin.conftest.raises"])
    assert "2 events replayed: 2 succeeded, 0 failed." in page.text
    assert "No event is failed for this cause any more." in group_page(operator).text


def test_what_failed_is_marked_as_handled(failed, operator):
    page = group_page(operator).click("Mark as handled")
    assert "Mark 2 events as handled" in page.text
    page = page.submit("reason", reason="Called <b>them</b>")
    assert "2 events are marked as handled." in page.text
    assert {event.status for event in Event.objects.all()} == {"handled"}
    assert Event.objects.first().handled_reason == "Called <b>them</b>"
    assert not {"Mark as handled", "Replay these events"} & page.links.keys()


def test_what_fails_after_the_question_is_not_handled(failed, event, operator):
    page = group_page(operator).click("Mark as handled")
    event(FieldValues={})
    page = page.submit("reason", reason="Called them")
    assert "2 events are marked as handled." in page.text
    assert Event.objects.filter(status="failed").count() == 1


def test_a_group_is_resolved_and_opened_again_by_a_failure(failed, event, operator):
    page = group_page(operator).click("Resolve").submit("reason", reason="Release <b>7</b>")
    assert "The failure group is resolved." in page.text
    assert "resolved by olga. Release <b>7</b>" in page.text
    assert "<b>7</b>" not in page.html
    assert Page.get(operator, GROUPS).cells("state_word") == ["resolved"]
    event(FieldValues={})
    page = group_page(operator)
    assert "opened again by a new failure." in page.text
    assert "Resolve" in page.links


def test_a_group_is_muted_until_a_time_and_reopened(failed, operator):
    page = group_page(operator).click("Mute")
    page = page.submit("reason", reason="Known", until="2020-01-01T10:00")
    assert "This time has passed." in page.text
    page = page.submit("reason", reason="Known", until="2099-01-01T10:00")
    assert "The failure group is muted." in page.text
    assert "Muted until 2099-01-01 10:00:00." in page.text
    page = page.click("Reopen").submit("reason", reason="It is not")
    assert "reopened by olga. It is not" in page.text
    assert FailureGroup.objects.get().state == "open"


@pytest.mark.parametrize("button", ["Mute", "Resolve", "Mark as handled"])
def test_a_reason_is_needed(failed, operator, button):
    page = group_page(operator).click(button).submit("reason", reason=" ")
    assert "This field is required." in page.text
    assert FailureGroup.objects.get().state == "open"
    assert Event.objects.filter(status="failed").count() == 2


def test_each_action_has_a_permission_of_its_own(failed, watcher, clerk):
    buttons = {"Mute", "Resolve", "Reopen", "Mark as handled", "Replay these events"}
    assert not buttons & group_page(watcher).links.keys()
    url = f"{GROUPS}{FailureGroup.objects.get().pk}/"
    for action in ("mute", "resolve", "reopen", "handle"):
        assert watcher.get(f"{url}{action}/").status_code == 403
    assert clerk.get(GROUPS).status_code == 403
    triager = logged_in("tess", "view_failuregroup", "triage_failuregroup", is_staff=True)
    page = group_page(triager)
    assert buttons & page.links.keys() == {"Mute", "Resolve"}
    assert [link for link in page.links.values() if f"{EVENTS}{failed[0].pk}" in link] == []


def test_nothing_changes_without_a_csrf_token(failed, operator):
    url = f"{GROUPS}{FailureGroup.objects.get().pk}/resolve/"
    assert operator.post(url, {"reason": "forged"}).status_code == 403
    assert FailureGroup.objects.get().state == "open"


def test_events_that_wait_for_another_attempt_are_named_apart(event, connect, operator, settings):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 3}
    connect(signals.ticket_changed, raises)
    event()
    page = group_page(operator)
    assert "1 of them is retried by itself." in page.text
    assert not {"Mark as handled", "Replay these events"} & page.links.keys()


@pytest.mark.urls(__name__)
def test_a_site_without_events_links_to_none(failed, superuser):
    page = Page.get(superuser, "/alone/superoffice_hooks/failuregroup/")
    assert (page.status, page.cells("still")) == (200, ["2"])
    page = page.click("open")
    assert "Replay these events" not in page.links
    assert [link for link in page.links.values() if "/event/" in link] == []
    page = page.click("Mark as handled").submit("reason", reason="by phone")
    assert "2 events are marked as handled." in page.text


@pytest.mark.urls(__name__)
def test_events_that_a_site_hides_are_not_counted_shown_or_handled(event, connect, superuser):
    connect(signals.ticket_changed, raises)
    connect(signals.ticket_created, raises_secret)
    event(ContextIdentifier="Cust1")
    hidden = event(ContextIdentifier="Cust2")
    event("ticket.created", ContextIdentifier="Cust2")
    assert FailureGroup.objects.count() == 2
    page = Page.get(superuser, "/own/superoffice_hooks/failuregroup/")
    assert page.cells("still") == ["1"]
    assert "no such" not in page.text
    page = page.click("open")
    assert str(hidden) not in page.text
    page = page.click("Mark as handled").submit("reason", reason="by phone")
    assert "1 event is marked as handled." in page.text
    assert Event.objects.filter(status="failed").count() == 2


def raises_secret(**kwargs):
    raise KeyError("of another tenant")
