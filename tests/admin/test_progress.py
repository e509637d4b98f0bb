"""The progress page: it says how far a replay is, and cancels it; dispatchers carry it on."""

import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import dispatcher, signals
from superoffice_hooks.models import Dispatcher, Event, Replay
from superoffice_hooks.replay import running

from ..conftest import body
from .conftest import EVENTS, REPLAYS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(post, calls, monkeypatch, settings) -> None:
    """More events than are replayed at once: six, and two in a batch."""
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
    monkeypatch.setattr("superoffice_hooks.admin.replay_page.AT_ONCE", 5)
    monkeypatch.setattr(running, "BATCH_EVENTS", 2)
    for number in range(6):
        post(body(PrimaryKey=number))
    call_command("superoffice_dispatch")


def a_dispatcher_looks() -> None:
    """Let a dispatcher carry the replay on, by one batch."""
    replay = running.next_waiting()
    assert replay
    for _ in running.batch(replay):
        pass


def lease_ends(replay: Replay) -> None:
    """Let the time pass for which a replay rests after an error."""
    assert replay.claimed_until > timezone.now()
    Replay.objects.filter(pk=replay.pk).update(claimed_until=timezone.now())


def begin(browser, **values: str) -> Page:
    """Choose everything in the list and confirm."""
    first = Event.objects.order_by("pk")[0]
    page = Page.get(browser, EVENTS)
    page = page.submit("action", action="replay", _selected_action=str(first.pk), select_across="1")
    return page.submit("reason", **{"reason": "to <b>see</b>", **values})


def counts(page: Page) -> dict[str, int]:
    return {
        name: int(page.cells(name)[0].replace(",", ""))
        for name in ("planned", "done", "failed", "remaining")
    }


def progress_of(replay: Replay) -> str:
    return f"{REPLAYS}{replay.pk}/progress/"


def test_a_few_are_replayed_at_once(post, calls, many, replayer, monkeypatch):
    monkeypatch.setattr(running, "BATCH_EVENTS", 5)
    Event.objects.latest("pk").delete()
    page = begin(replayer)
    assert "5 events replayed: 5 succeeded, 0 failed." in page.text
    assert page.url == EVENTS


def test_that_nobody_dispatches_is_said_while_a_replay_waits(many, calls, replayer, settings):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
    page = begin(replayer)
    assert "No dispatcher has ever been seen. Run superoffice_dispatch --watch" in page.text
    one = Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 2)
    one.note_seen()
    assert "No dispatcher" not in page.click("Look again").text
    Dispatcher.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    page = page.click("Look again")
    assert "No dispatcher has been seen since 20" in page.text
    Replay.objects.get().cancel("bob")
    assert "No dispatcher" not in page.click("Look again").text


def test_a_look_changes_nothing_and_shows_what_dispatchers_have_done(many, calls, replayer):
    page = begin(replayer)
    assert "waiting" in page.text
    assert counts(page) == {"planned": 6, "done": 0, "failed": 0, "remaining": 6}
    seen = Replay.objects.values().get()
    page = page.click("Look again")
    assert Replay.objects.values().get() == seen
    assert calls == []
    a_dispatcher_looks()
    page = page.click("Look again")
    assert "waiting" in page.text
    assert counts(page) == {"planned": 6, "done": 2, "failed": 0, "remaining": 4}
    assert calls == [0, 1]


def test_what_is_left_of_a_few_after_a_batch_is_left_to_dispatchers(
    many, calls, replayer, monkeypatch
):
    monkeypatch.setattr("superoffice_hooks.admin.replay_page.AT_ONCE", 6)
    page = begin(replayer)
    assert page.url == progress_of(Replay.objects.get())
    assert counts(page)["done"] == 2
    assert calls == [0, 1]
    call_command("superoffice_dispatch")
    assert calls == [0, 1, 2, 3, 4, 5]


def test_after_an_error_of_ours_a_few_are_left_to_dispatchers(
    many, calls, replayer, monkeypatch, caplog
):
    def ends(*args):
        raise ConnectionError("the database is gone")

    monkeypatch.setattr("superoffice_hooks.admin.replay_page.AT_ONCE", 6)
    with monkeypatch.context() as patch:
        patch.setattr(Replay, "advance", ends)
        page = begin(replayer)
    replay = Replay.objects.get()
    assert page.url == progress_of(replay)
    assert f"Unexpected error in {replay}" in caplog.text
    call_command("superoffice_dispatch")
    assert calls == [0, 1, 2, 3, 4, 5]


def test_without_a_dispatcher_of_its_own_a_testcase_sees_all_of_them_replayed(
    many, calls, replayer, settings
):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "in_process"}
    page = begin(replayer)
    assert "6 events replayed: 6 succeeded, 0 failed." in page.text
    assert calls == [0, 1, 2, 3, 4, 5]


def test_without_javascript_the_page_loads_itself_until_the_end(many, replayer):
    page = begin(replayer)
    reload = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
    assert reload in page.html
    assert "progress.js" in page.html
    call_command("superoffice_dispatch")
    page = page.click("Look again")
    assert "Look again" not in page.links
    assert reload not in page.html
    assert "progress.js" not in page.html


def test_the_page_says_who_why_and_how_much_is_left(many, connect, replayer):
    connect(signals.any_event, raises)
    page = begin(replayer)
    a_dispatcher_looks()
    page = page.click("Look again")
    assert counts(page) == {"planned": 6, "done": 0, "failed": 2, "remaining": 4}
    assert "Started by rita: to <b>see</b>" in page.text
    assert re.search(r'<progress [^>]*value="2" max="6"', page.html)


def test_a_dispatcher_finishes_it_whether_anybody_looks_or_not(many, calls, replayer):
    begin(replayer)
    call_command("superoffice_dispatch")
    assert calls == [0, 1, 2, 3, 4, 5]
    page = Page.get(replayer, progress_of(Replay.objects.get()))
    assert "6 events replayed: 6 succeeded, 0 failed." in page.text


class TestCancelling:
    def test_the_button_ends_it(self, many, calls, replayer):
        page = begin(replayer)
        a_dispatcher_looks()
        page = page.submit("cancel")
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
        assert Replay.objects.get().state == "waiting"


class TestPermissions:
    @pytest.fixture
    def url(self, many, replayer) -> str:
        url = begin(replayer).url
        a_dispatcher_looks()
        return url

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
        assert Replay.objects.get().state == "waiting"

    def test_who_may_neither_view_nor_replay_sees_nothing(self, url, clerk, anonymous):
        assert clerk.get(url).status_code == 403
        assert anonymous.get(url).status_code == 302

    def test_who_may_replay_but_not_view_replays_sees_the_own_progress(self, url, calls):
        browser = logged_in("ray", "view_event", "replay_event", is_staff=True)
        page = Page.get(browser, url)
        assert page.status == 200
        assert "The replay and its receiver runs" not in page.links
        assert calls == [0, 1]

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
    a_dispatcher_looks()
    assert queries() == early


def test_the_replays_page_leads_to_its_progress(many, viewer, replayer):
    begin(replayer)
    page = Page.get(replayer, f"{REPLAYS}{Replay.objects.get().pk}/change/")
    assert page.click("Progress, or cancel").url == progress_of(Replay.objects.get())
    page = Page.get(viewer, page.url)
    assert page.click("Progress").status == 200
    call_command("superoffice_dispatch")
    assert "Progress" not in Page.get(viewer, page.url).links


@pytest.mark.django_db(transaction=True)
def test_what_a_few_do_is_committed_event_by_event_under_atomic_requests(post, connect, replayer):
    savepoints = []
    post(body())
    connect(signals.any_event, lambda **kwargs: savepoints.append(len(connection.savepoint_ids)))
    begin(replayer)
    assert savepoints == [0]


@pytest.mark.django_db(transaction=True)
def test_the_lanes_of_the_process_carry_many_on(post, calls, replayer, monkeypatch):
    monkeypatch.setattr("superoffice_hooks.admin.replay_page.AT_ONCE", 0)
    for number in range(3):
        post(body(PrimaryKey=number))
    page = begin(replayer)
    assert page.url == progress_of(Replay.objects.get())
    assert dispatcher.wait_until_idle(30)
    assert "3 events replayed: 3 succeeded, 0 failed." in Page.get(replayer, page.url).text
    assert calls == [0, 1, 2]
