"""Who may look, and who may replay; nobody may do anything else."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Rejection, Replay

from ..conftest import body
from .conftest import EVENTS, REJECTIONS, REPLAY, REPLAYS, logged_in
from .page import Page

pytestmark = pytest.mark.django_db

EVERYBODY = ("anonymous", "clerk", "viewer", "replayer", "superuser")
ALL_LISTS = (EVENTS, REJECTIONS, REPLAYS)


@pytest.fixture
def browser(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def rows(post):
    """One row of each kind."""
    post(body())
    post(body(), secret=None)
    return {
        EVENTS: Event.objects.get(),
        REJECTIONS: Rejection.objects.get(),
        REPLAYS: Replay.objects.create(who="bob", reason="a test"),
    }


def statuses(browser, *paths: str) -> set[int]:
    return {browser.get(path).status_code for path in paths}


@pytest.mark.parametrize(
    ("browser", "expected"),
    list(zip(EVERYBODY, (302, 403, 200, 200, 200), strict=True)),
    indirect=["browser"],
)
def test_lists_and_pages_are_for_those_who_may_view_them(browser, expected, rows):
    pages = [f"{path}{row.pk}/change/" for path, row in rows.items()]
    assert statuses(browser, *ALL_LISTS, *pages) == {expected}


@pytest.mark.words
@pytest.mark.parametrize("browser", EVERYBODY, indirect=True)
def test_nobody_adds_changes_or_deletes(browser, rows):
    for path, row in rows.items():
        assert statuses(browser, f"{path}add/", f"{path}{row.pk}/delete/") <= {302, 403}
        for do in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
            assert browser.post(f"{path}{do}", {"post": "yes"}).status_code in {302, 403}
        page = Page.get(browser, path)
        assert "delete_selected" not in page.html
        assert f"{path}add/" not in page.links.values()
        browser.post(path, {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
        assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    ("browser", "expected"),
    list(zip(EVERYBODY, (302, 403, 403, 200, 200), strict=True)),
    indirect=["browser"],
)
def test_the_replay_page_is_for_those_who_may_replay(browser, expected, rows):
    assert browser.get(f"{REPLAY}?ids={rows[EVENTS].pk}").status_code == expected


@pytest.mark.parametrize("browser", ["anonymous", "clerk", "viewer"], indirect=True)
def test_who_may_not_replay_is_refused_by_the_server(browser, rows):
    browser.handler.enforce_csrf_checks = False
    for url, sent in (
        (EVENTS, {"action": "replay", "_selected_action": rows[EVENTS].pk}),
        (REPLAY, {"ids": rows[EVENTS].pk, "reason": "a test"}),
    ):
        answer = browser.post(url, sent)
        assert answer.status_code == 403 or "login" in answer.headers["Location"]
    assert Replay.objects.count() == 1


def test_permission_to_replay_alone_does_not_show_events(rows):
    browser = logged_in("ray", "replay_event", is_staff=True)
    assert browser.get(f"{REPLAY}?ids={rows[EVENTS].pk}").status_code == 403


def content(**kwargs):
    """A receiver that is content with everything."""


@pytest.mark.parametrize(
    ("browser", "offered"),
    [("viewer", False), ("replayer", True), ("superuser", True)],
    indirect=["browser"],
)
def test_button_and_action_are_offered_to_those_who_may(browser, offered, rows, connect):
    connect(signals.any_event, content)
    page = Page.get(browser, f"{EVENTS}{rows[EVENTS].pk}/change/")
    assert ("Replay" in page.links) is offered
    assert ("Replay selected events" in Page.get(browser, EVENTS).text) is offered


def test_a_replay_is_refused_without_a_csrf_token(replayer, rows):
    answer = replayer.post(REPLAY, {"ids": rows[EVENTS].pk, "reason": "another site asked for it"})
    assert answer.status_code == 403
    assert Replay.objects.count() == 1
