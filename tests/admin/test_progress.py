"""Large replays: planned from a filtered list, carried on by the page that shows them."""

import re

import pytest
from django.core.management import call_command

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay
from superoffice_hooks.replaying import Criteria, plan

from .conftest import EVENTS, REPLAY, REPLAYS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db

MANY = 300


@pytest.fixture
def calls(connect) -> list[int]:
    """The numbers of the records that reached a receiver in a replay, in order."""
    called: list[int] = []

    def note(*, event, replay, **kwargs):
        if replay:
            called.append(event.primary_key)

    connect(signals.ticket_changed, note)
    return called


@pytest.fixture
def many(event):
    """Three hundred events of tickets, copied from one, and one of a contact."""
    event("contact.changed")
    first = event(PrimaryKey=0)
    copies = [Event.objects.get(pk=first.pk) for _ in range(MANY - 1)]
    for number, copy in enumerate(copies, 1):
        copy.pk, copy.primary_key = None, number
        copy.event_id = copy.event_id.__class__(int=number)
    Event.objects.bulk_create(copies)


def planned_from_the_list(client) -> Page:
    """Choose all events of tickets, on all pages of the list, and give a reason."""
    page = Page.get(client, f"{EVENTS}?entity=ticket")
    chosen = str(Event.objects.named("ticket.*").first().pk)
    page = page.submit("action", action="replay", _selected_action=chosen, select_across="1")
    assert f"Replay {MANY} events" in page.text
    assert f"{MANY} events of {MANY} records will be dispatched again" in page.text
    return page.submit("why", why="The lookup is mended")


def count(page: Page, column: str) -> int:
    (cell,) = page.cells(column)
    return int(cell)


def test_a_large_replay_is_carried_on_by_the_page_that_shows_it(many, calls, replayer):
    page = planned_from_the_list(replayer)
    assert re.search(r"/replay/\d+/progress/$", page.url)
    assert [count(page, name) for name in ("planned", "done", "failed")] == [MANY, 0, 0]
    requests = 0
    while count(page, "remaining"):
        page, requests = Page.get(replayer, page.url), requests + 1
    assert requests <= 4
    assert calls == list(range(MANY))
    assert f"finished {MANY} events replayed: {MANY} succeeded, 0 failed." in page.text
    stored = Replay.objects.get()
    assert (stored.who, stored.why, stored.state) == ("rita", "The lookup is mended", "finished")
    assert stored.criteria["entity"] == "ticket"
    assert Replay.objects.get().runs.count() == MANY


def test_without_javascript_the_page_reloads_itself_until_the_end(many, calls, replayer):
    page = planned_from_the_list(replayer)
    reload = '<noscript><meta http-equiv="refresh"'
    assert reload in page.html
    while count(page, "remaining"):
        page = Page.get(replayer, page.url)
    assert reload not in page.html


def test_it_can_be_cancelled_in_the_middle(many, calls, replayer):
    page = planned_from_the_list(replayer)
    page = Page.get(replayer, page.url)
    page = page.submit("cancel")
    assert "cancelled" in page.text
    assert f"Cancelled by rita, with {MANY - len(calls)} events to go." in page.text
    done = len(calls)
    assert 0 < done < MANY
    Page.get(replayer, page.url)
    call_command("superoffice_dispatch", verbosity=0)
    assert len(calls) == done


def test_what_a_closed_page_left_is_finished_by_superoffice_dispatch(many, calls, replayer):
    page = planned_from_the_list(replayer)
    call_command("superoffice_dispatch", verbosity=0)
    assert calls == list(range(MANY))
    assert "finished" in Page.get(replayer, page.url).text


def test_events_that_come_in_later_are_no_part_of_it(many, calls, replayer, event):
    page = planned_from_the_list(replayer)
    event(PrimaryKey=4711)
    while count(page, "remaining"):
        page = Page.get(replayer, page.url)
    assert 4711 not in calls


def test_the_replays_page_leads_to_its_progress_and_its_events(many, calls, replayer):
    planned_from_the_list(replayer)
    stored = Replay.objects.get()
    page = Page.get(replayer, f"{REPLAYS}{stored.pk}/change/")
    assert "entity: ticket" in page.text
    assert page.click("Carry on or cancel").url.endswith("/progress/")
    page = Page.get(replayer, f"{REPLAYS}{stored.pk}/change/")
    assert "entity=ticket" in page.links["The events that meet the criteria now"]


class TestPermissions:
    """Only who may replay carries a replay on, or cancels it."""

    @pytest.fixture
    def planned(self, many):
        planned = plan(Criteria(entity="ticket"), who="anna", why="")
        planned.release()
        return f"{REPLAYS}{planned.pk}/"

    def test_who_may_only_look_sees_how_far_it_is_and_moves_nothing(self, planned, calls, viewer):
        page = Page.get(viewer, f"{planned}progress/")
        assert count(page, "remaining") == MANY
        assert "Cancel the replay" not in page.html
        assert calls == []

    def test_who_may_only_look_is_refused_by_the_server(self, planned, viewer, clerk):
        for client in (viewer, clerk):
            client.handler.enforce_csrf_checks = False
            assert client.post(f"{planned}cancel/").status_code == 403
        assert clerk.get(f"{planned}progress/").status_code == 403
        assert Replay.objects.get().state == "planned"

    def test_nobody_gets_there_without_logging_in(self, planned, anonymous):
        for page in ("progress", "cancel"):
            assert "/login/" in anonymous.get(f"{planned}{page}/").url

    def test_a_link_cancels_nothing(self, planned, replayer):
        assert replayer.get(f"{planned}cancel/").status_code == 405
        assert Replay.objects.get().state == "planned"

    def test_a_form_from_elsewhere_cancels_nothing(self, planned, replayer):
        assert replayer.post(f"{planned}cancel/").status_code == 403
        assert Replay.objects.get().state == "planned"

    def test_a_replay_that_is_not_there(self, replayer):
        assert replayer.get(f"{REPLAYS}4711/progress/").status_code == 404

    def test_who_may_replay_but_not_look_at_replays_sees_it_to_its_end(self, many, calls):
        client = logged_in("rolf", "view_event", "replay_event", is_staff=True)
        page = planned_from_the_list(client)
        while count(page, "remaining"):
            page = Page.get(client, page.url)
        assert len(calls) == MANY


class TestChoices:
    """Which receivers, and which events of a record."""

    def test_only_the_receivers_that_failed(self, event, connect, replayer):
        succeeded = []

        def content(**kwargs):
            succeeded.append(1)

        connect(signals.ticket_changed, content)
        connect(signals.ticket_changed, raises)
        stored = event()
        page = Page.get(replayer, f"{EVENTS}{stored.pk}/change/").click("Replay what failed")
        assert "Last run no success: tests.admin.conftest.raises (1 event)" in page.text
        page.submit("why", why="Only the broken one")
        assert len(succeeded) == 1
        assert stored.runs.filter(receiver="tests.admin.conftest.raises").count() == 2

    def test_chosen_receivers(self, event, connect, calls, replayer):
        connect(signals.any_event, raises)
        stored = event()
        page = Page.get(replayer, f"{EVENTS}{stored.pk}/change/").click("Replay some receivers")
        assert "Choose at least one receiver." in page.submit("why", why="?").text
        note = "tests.admin.test_progress.calls.<locals>.note"
        page.submit("why", why="Only this", chosen=note)
        assert calls == [527331]
        assert Replay.objects.get().receivers == [note]

    def test_a_warning_of_superseded_events_and_only_the_latest(self, event, calls, replayer):
        keys = [event(PrimaryKey=7).pk for _ in range(3)] + [event(PrimaryKey=8).pk]
        page = Page.get(replayer, f"{REPLAY}?ids={','.join(map(str, keys))}")
        assert "2 of the events are superseded" in page.text
        assert "2 events remain." in page.text
        page.submit("why", why="The newest alone", latest="on")
        assert calls == [7, 8]

    def test_filters_count_in_the_plan(self, event, connect, replayer):
        def urgent(**kwargs):
            pass

        connect(signals.any_event, urgent, fields="priority")
        keys = [event(Changes=[name]).pk for name in ("priority", "title", "title")]
        page = Page.get(replayer, f"{REPLAY}?ids={','.join(map(str, keys))}&which=chosen")
        assert "urgent (1 event)" in page.text


def test_the_plan_takes_as_many_queries_for_many_events_as_for_few(
    event, replayer, django_assert_max_num_queries
):
    few = ",".join(str(event(PrimaryKey=number).pk) for number in range(2))
    more = ",".join(str(event(PrimaryKey=number).pk) for number in range(30))
    for keys in (few, more):
        with django_assert_max_num_queries(14):
            assert replayer.get(f"{REPLAY}?ids={keys}").status_code == 200
