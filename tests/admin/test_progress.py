"""The progress page: it carries a replay on, says how far it is, and cancels it."""

import re

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import replaying, signals
from superoffice_hooks.admin.events import EventAdmin
from superoffice_hooks.models import Event, Replay

from ..conftest import body
from .conftest import EVENTS, REPLAYS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(post, calls, monkeypatch) -> None:
    """More events than are replayed at once: six, and two in a batch."""
    monkeypatch.setattr(EventAdmin, "AT_ONCE", 5)
    monkeypatch.setattr(replaying, "BATCH_EVENTS", 2)
    for number in range(6):
        post(body(PrimaryKey=number))


def begin(browser, **values: str) -> Page:
    """Choose everything in the list and confirm."""
    first = Event.objects.order_by("pk")[0]
    page = Page.get(browser, EVENTS)
    page = page.submit("action", action="replay", _selected_action=str(first.pk), select_across="1")
    return page.submit("why", **{"why": "to <b>see</b>", **values})


def counts(page: Page) -> dict[str, int]:
    return {
        name: int(page.cells(name)[0].replace(",", ""))
        for name in ("planned", "done", "failed", "remaining")
    }


def progress_of(replay: Replay) -> str:
    return f"{REPLAYS}{replay.pk}/progress/"


@pytest.mark.slow
def test_three_hundred_events_are_carried_by_the_pages_own_requests(post, calls, replayer):
    for number in range(300):
        post(body(PrimaryKey=number))
    page = begin(replayer)
    replay = Replay.objects.get()
    assert page.url == progress_of(replay)
    assert counts(page) == {"planned": 300, "done": 0, "failed": 0, "remaining": 300}
    seen = []
    for _ in range(20):
        page = page.click("Look again")
        seen.append(counts(page)["done"])
        if "Look again" not in page.links:
            break
    assert seen == sorted(set(seen))
    assert seen[-1] == 300
    assert calls == list(range(300))
    assert "finished 300 events replayed: 300 succeeded, 0 failed." in page.text


def test_a_few_are_replayed_at_once(post, calls, many, replayer):
    Event.objects.latest("pk").delete()
    page = begin(replayer)
    assert "5 events replayed: 5 succeeded, 0 failed." in page.text
    assert page.url == EVENTS


def test_each_look_tries_a_batch_after_it_was_answered(many, calls, replayer):
    page = begin(replayer)
    assert counts(page)["done"] == 0
    assert calls == [0, 1]
    assert "running" in page.click("Look again").text
    assert calls == [0, 1, 2, 3]
    assert Replay.objects.get().claimed_until is None


def test_a_batch_also_ends_with_its_time(many, calls, replayer, monkeypatch):
    monkeypatch.setattr(replaying, "BATCH_SECONDS", 0)
    begin(replayer)
    assert calls == [0]


def test_without_javascript_the_page_loads_itself_until_the_end(many, replayer):
    page = begin(replayer)
    reload = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
    assert reload in page.html
    assert "<script>" in page.html
    while "Look again" in page.links:
        page = page.click("Look again")
    assert reload not in page.html
    assert "<script>" not in page.html


def test_the_page_says_who_why_and_how_much_is_left(many, connect, replayer):
    connect(signals.any_event, raises)
    page = begin(replayer).click("Look again")
    assert counts(page) == {"planned": 6, "done": 0, "failed": 2, "remaining": 4}
    assert "Asked for by rita: to <b>see</b>" in page.text
    assert re.search(r'<progress [^>]*value="2" max="6"', page.html)


def test_what_a_closed_page_left_is_finished_by_the_dispatcher(many, calls, replayer):
    begin(replayer)
    call_command("superoffice_dispatch")
    assert calls == [0, 1, 2, 3, 4, 5]
    page = Page.get(replayer, progress_of(Replay.objects.get()))
    assert "6 events replayed: 6 succeeded, 0 failed." in page.text


def test_while_another_process_has_it_the_page_only_looks(many, calls, replayer):
    begin(replayer)
    assert Replay.objects.get().claim()
    page = Page.get(replayer, progress_of(Replay.objects.get()))
    assert counts(page)["done"] == 2
    assert calls == [0, 1]


class TestCancelling:
    def test_the_button_ends_it(self, many, calls, replayer):
        page = begin(replayer).submit("cancel")
        assert page.url == progress_of(Replay.objects.get())
        assert "cancelled 2 events replayed: 2 succeeded, 0 failed." in page.text
        assert "Cancelled by rita, with 4 events to go." in page.text
        call_command("superoffice_dispatch")
        Page.get(replayer, page.url)
        assert calls == [0, 1]
        assert Replay.objects.get().state == "cancelled"

    def test_what_has_ended_cannot_be_cancelled(self, many, replayer):
        page = begin(replayer)
        call_command("superoffice_dispatch")
        assert "The replay had ended already." in page.submit("cancel").text
        assert Replay.objects.get().state == "finished"

    def test_a_link_cannot_do_it(self, many, replayer):
        begin(replayer)
        url = f"{REPLAYS}{Replay.objects.get().pk}/cancel/"
        assert replayer.get(url).status_code == 405
        assert replayer.post(url).status_code == 403
        assert Replay.objects.get().state == "running"


class TestPermissions:
    @pytest.fixture
    def url(self, many, replayer) -> str:
        return begin(replayer).url

    def test_who_may_view_looks_and_does_nothing(self, url, calls, viewer):
        page = Page.get(viewer, url)
        assert counts(page)["done"] == 2
        assert calls == [0, 1]
        assert not [form for form in page.forms if "cancel" in form.action]

    @pytest.mark.parametrize("browser", ["viewer", "clerk", "anonymous"])
    def test_who_may_not_replay_does_not_cancel(self, url, browser, request):
        client = request.getfixturevalue(browser)
        client.handler.enforce_csrf_checks = False
        answer = client.post(url.replace("progress", "cancel"))
        assert answer.status_code == (302 if browser == "anonymous" else 403)
        assert Replay.objects.get().state == "running"

    def test_who_may_neither_view_nor_replay_sees_nothing(self, url, clerk, anonymous):
        assert clerk.get(url).status_code == 403
        assert anonymous.get(url).status_code == 302

    def test_who_may_replay_but_not_view_replays_sees_the_own_progress(self, url, calls):
        browser = logged_in("ray", "view_event", "replay_event", is_staff=True)
        page = Page.get(browser, url)
        assert page.status == 200
        assert "The replay and its receiver runs" not in page.links
        assert calls == [0, 1, 2, 3]

    def test_there_is_no_progress_of_no_replay(self, viewer, replayer):
        assert viewer.get(f"{REPLAYS}999/progress/").status_code == 404
        assert viewer.get(f"{REPLAYS}{'9' * 30}/progress/").status_code == 404


def test_the_page_takes_as_many_queries_whatever_the_replay_has_done(many, viewer, replayer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert Page.get(viewer, url).status == 200
        return len(captured)

    url = begin(replayer).url
    early = queries()
    Page.get(replayer, url)
    assert queries() == early


def test_the_replays_page_leads_to_its_progress(many, viewer, replayer):
    begin(replayer)
    page = Page.get(replayer, f"{REPLAYS}{Replay.objects.get().pk}/change/")
    assert page.click("Carry on or cancel").url == progress_of(Replay.objects.get())
    page = Page.get(viewer, page.url)
    assert page.click("Progress").status == 200
    call_command("superoffice_dispatch")
    assert "Progress" not in Page.get(viewer, page.url).links


@pytest.mark.django_db(transaction=True)
def test_what_a_batch_does_is_committed_event_by_event_under_atomic_requests(
    post, connect, replayer, monkeypatch
):
    savepoints = []
    monkeypatch.setattr(EventAdmin, "AT_ONCE", 0)
    post(body())
    connect(signals.any_event, lambda **kwargs: savepoints.append(len(connection.savepoint_ids)))
    begin(replayer)
    assert savepoints == [0]
