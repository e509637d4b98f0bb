"""The Replay action and button: asked first, done once, counted, never beyond what was chosen."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.admin.events import EventAdmin
from superoffice_hooks.models import Event, Replay

from .conftest import EVENTS, REPLAY, raises
from .page import Page

pytestmark = pytest.mark.django_db


def choose(page: Page, *events: Event, **more: str) -> Page:
    """Tick these events in the list, and choose the action."""
    return page.submit(
        "action", action="replay", _selected_action=[str(event.pk) for event in events], **more
    )


@pytest.fixture
def calls(connect) -> list[Event]:
    """The events that reached a receiver in a replay, in order."""
    called: list[Event] = []

    def note(*, event, replay, **kwargs):
        if replay:
            called.append(event)

    connect(signals.any_event, note)
    return called


def test_the_action_replays_what_was_chosen_after_it_was_confirmed(event, calls, replayer):
    one, _, three = event(), event("sale.sold"), event("contact.changed")
    page = choose(Page.get(replayer, EVENTS), one, three)
    assert "Replay 2 events" in page.text
    assert "contact.changed 1 tests.admin.test_replay.calls.<locals>.note" in page.text
    assert str(one) in page.links
    assert calls == []
    page = page.submit("why", why="asked for")
    assert "2 events replayed: 2 succeeded, 0 failed." in page.text
    assert calls == [one, three]
    assert Replay.objects.get().criteria == {"ids": [one.pk, three.pk]}


def test_the_action_takes_everything_across_pages(event, calls, replayer, monkeypatch):
    monkeypatch.setattr(EventAdmin, "list_per_page", 2)
    others = [event("contact.changed")]
    chosen = [event() for _ in range(5)]
    page = Page.get(replayer, f"{EVENTS}?entity=ticket")
    page = choose(page, *chosen[-2:], select_across="1")
    assert "Replay 5 events" in page.text
    event()
    page = page.submit("why", why="all of them")
    assert calls == chosen
    assert others[0] not in calls
    assert page.url == f"{EVENTS}?entity=ticket"


def test_more_events_than_one_request_should_replay_are_refused(
    event, calls, replayer, monkeypatch
):
    monkeypatch.setattr(EventAdmin, "MOST", 2)
    page = choose(Page.get(replayer, EVENTS), *[event() for _ in range(3)])
    assert "Please select 2 events at most" in page.text
    assert page.url == EVENTS


def test_a_replay_needs_a_reason(event, calls, replayer):
    stored = event()
    for nothing in ("", "  \n"):
        page = Page.get(replayer, f"{REPLAY}?ids={stored.pk}").submit("why", why=nothing)
        assert "This field is required." in page.text
    assert not Replay.objects.exists()
    page = page.submit("why", why="now I have one")
    assert calls == [stored]


def test_looking_at_the_confirmation_replays_nothing(event, calls, replayer):
    stored = event()
    for url in (f"{REPLAY}?ids={stored.pk}", f"{REPLAY}?ids={stored.pk}&why=because"):
        assert replayer.get(url).status_code == 200
        assert replayer.head(url).status_code == 200
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    "ids", ["", ",", "all", "1,", "-1", "0", "9" * 18, "9" * 500, "1 OR 1=1", "²"]
)
def test_no_choice_is_not_a_choice_of_everything(event, calls, superuser, ids):
    event()
    superuser.handler.enforce_csrf_checks = False
    response = superuser.post(REPLAY, {"ids": ids, "why": "a slip"}, follow=True)
    assert "There is no such event." in response.content.decode()
    assert calls == []
    assert not Replay.objects.exists()


def test_the_counts_tell_failed_and_skipped_from_succeeded(event, connect, replayer):
    connect(signals.sale_sold, raises)
    connect(signals.contact_changed, lambda **kwargs: None)
    chosen = [event("sale.sold"), event("contact.changed"), event("person.changed")]
    page = choose(Page.get(replayer, EVENTS), *chosen)
    assert "None: these events will be skipped." in page.text
    page = page.submit("why", why="to count")
    assert (
        "3 events replayed: 1 succeeded, 1 failed. 1 has no receiver to call and was skipped."
        in page.text
    )
    assert 'class="warning"' in page.html


def test_an_event_in_other_hands_is_left_to_them(event, calls, replayer):
    stored = event()
    later = timezone.now() + timedelta(minutes=5)
    Event.objects.update(status=Event.Status.RUNNING, claimed_until=later)
    page = Page.get(replayer, f"{REPLAY}?ids={stored.pk}").submit("why", why="impatience")
    assert "1 event replayed: 0 succeeded, 1 failed." in page.text
    assert "1 of the failed was being dispatched by another process." in page.text
    assert calls == []


def test_the_test_event_names_no_receivers(post, calls, replayer):
    post(b'{"Event": "test"}')
    page = Page.get(replayer, f"{REPLAY}?ids={Event.objects.get().pk}")
    assert "None: these events will be skipped." in page.text


def test_a_long_choice_is_shortened_and_told(event, calls, replayer, monkeypatch):
    monkeypatch.setattr(EventAdmin, "FEW", 1)
    page = choose(Page.get(replayer, EVENTS), event(), event(), event())
    assert "and 2 more" in page.text


def test_cancel_leads_back(event, replayer):
    stored = event()
    page = choose(Page.get(replayer, f"{EVENTS}?entity=ticket"), stored, event()).click("Cancel")
    assert page.url == f"{EVENTS}?entity=ticket"
    page = Page.get(replayer, f"{EVENTS}{stored.pk}/change/").click("Replay").click("Cancel")
    assert page.url == f"{EVENTS}{stored.pk}/change/"


@pytest.mark.django_db(transaction=True)
def test_each_receiver_commits_on_its_own_also_under_atomic_requests(event, connect, replayer):
    savepoints = []
    stored = event()
    connect(signals.any_event, lambda **kwargs: savepoints.append(len(connection.savepoint_ids)))
    Page.get(replayer, f"{REPLAY}?ids={stored.pk}").submit("why", why="to see")
    assert savepoints == [0]
