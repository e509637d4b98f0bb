"""Webhooks in the API: their state, and what is done about them."""

from importlib.util import find_spec

import pytest

from superoffice_hooks.models import Watch

from ..conftest import SECRET, URL
from ..wanting import played, wanting
from .asking import ask
from .conftest import API, logged_in

if not find_spec("httpx"):
    pytest.skip("needs the extra superoffice", allow_module_level=True)

from superoffice_hooks.subscribing.applying import apply
from superoffice_hooks.superoffice_api import deadline

pytestmark = pytest.mark.django_db(transaction=True)

ACTIONS = ("test", "ping", "reactivate")


@pytest.fixture
def superoffice(monkeypatch):
    with played(monkeypatch) as fake:
        yield fake


@pytest.fixture
def entry(settings, superoffice, live_server):
    headers = {"X-Key": "the value of a header"}
    settings.SUPEROFFICE_HOOKS = {
        **settings.SUPEROFFICE_HOOKS,
        **wanting(superoffice, live_server.url + URL, headers=headers),
    }
    assert list(apply("default", who="anna"))
    return superoffice.entries()[0]


@pytest.fixture
def manager(db):
    return logged_in("mia", "view_watch", "manage_webhooks")


def post(caller, action, endpoint="default", body=""):
    return ask(caller, body or {}, f"{API}webhooks/{endpoint}/{action}/")


def test_without_a_webhook_that_is_wanted_the_list_is_empty(viewer):
    assert viewer.read("webhooks/") == {"results": []}
    assert viewer.get("webhooks/default/").status_code == 404


def test_the_list_says_what_is_wanted_and_what_is_known(entry, superoffice, viewer):
    before = len(superoffice.requests)
    (row,) = viewer.read("webhooks/")["results"]
    assert (row["endpoint"], row["delivers"], row["is_as_wanted"]) == ("default", True, True)
    assert (row["is_unknown"], row["problem"]) == (False, "")
    assert row["wanted"]["events"] == row["known"]["actual"]["events"]
    assert row["known"]["webhook"] == entry.id
    assert len(superoffice.requests) == before


def test_no_secret_is_shown(entry, viewer):
    text = viewer.get("webhooks/default/").content.decode()
    assert SECRET not in text
    assert "the value of a header" not in text


def test_one_has_what_was_seen_and_done(entry, viewer):
    Watch.note("default", tenant="Cust12345", webhook=entry.id, state="Stopped")
    shown = viewer.read("webhooks/default/")
    assert (shown["delivers"], shown["known"]["state"]) == (False, "Stopped")
    assert [(row["action"], row["who"]) for row in shown["history"]] == [
        ("", ""),
        ("created", "anna"),
    ]
    assert viewer.get("webhooks/%00%F0%9F/").status_code == 404


def test_what_could_not_be_read_is_said(entry, viewer):
    Watch.note("default", tenant="Cust12345", state="unknown", reason="The API is away.")
    shown = viewer.read("webhooks/default/")
    assert (shown["is_unknown"], shown["problem"]) == (True, "The API is away.")
    assert (shown["known"]["state"], shown["delivers"]) == ("Active", True)


def test_differences_have_names(entry, manager):
    entry.values["Name"] = "Somebody's"
    answer = post(manager, "test").json()
    assert answer["webhook"]["is_as_wanted"] is False
    assert answer["webhook"]["known"]["differences"] == [
        {"key": "name", "wanted": "Desk", "actual": "Somebody's"}
    ]


@pytest.mark.parametrize("action", ["test", "ping"])
def test_a_test_and_a_ping(entry, manager, action):
    answer = post(manager, action)
    assert answer.status_code == 200, answer.content
    assert answer.json()["is_well"] is True
    assert "has arrived" in answer.json()["sentence"]
    assert Watch.objects.filter(who="mia").exists()


def test_activated_again(entry, manager):
    entry.state = "TooManyErrors"
    answer = post(manager, "reactivate").json()
    assert (answer["is_well"], answer["sentence"]) == (True, "The webhook is active again.")
    assert (entry.state, answer["webhook"]["delivers"]) == ("Active", True)


def test_what_cannot_be_done_is_a_conflict(entry, manager, monkeypatch):
    answer = post(manager, "reactivate")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "is Active" in answer.json()["detail"]
    monkeypatch.setattr("superoffice_hooks.superoffice_api.is_installed", lambda: False)
    answer = post(manager, "test")
    assert (answer.status_code, "needs the extra" in answer.json()["detail"]) == (409, True)


def test_superoffice_that_gives_no_answer_is_a_bad_gateway(entry, superoffice, manager):
    superoffice.fail("/v1/", times=99, seconds=3)
    with deadline.within(0.5):
        answer = post(manager, "ping")
    assert (answer.status_code, answer["Content-Type"]) == (502, "application/problem+json")
    assert "no answer in time" in answer.json()["detail"]


def test_a_body_that_is_not_understood_does_nothing(entry, superoffice, manager):
    before = len(superoffice.requests)
    assert post(manager, "test", body={"endpoint": "other"}).status_code == 400
    assert post(manager, "test", endpoint="other").status_code == 404
    assert len(superoffice.requests) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_takes_both_permissions(entry, superoffice, viewer, action):
    before = len(superoffice.requests)
    assert post(viewer, action).status_code == 403
    assert post(logged_in("ben", "manage_webhooks"), action).status_code == 403
    assert logged_in("bea", "view_event").get("webhooks/").status_code == 403
    assert len(superoffice.requests) == before
