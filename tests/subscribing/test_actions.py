"""What a person does about a webhook: it is done within seconds, said in a sentence, and noted."""

import time

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Watch
from superoffice_hooks.subscribing import actions
from superoffice_hooks.subscribing.configured import NotPossible
from superoffice_hooks.superoffice_api import deadline
from superoffice_hooks.superoffice_api.errors import ApiError
from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply

from ..wanting import lose_pings
from .conftest import subscribe, webhook

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("subscribed"),
    pytest.mark.words("version", "action", "state"),
]

VERSIONS = pytest.mark.parametrize("version", ["10.2", "11.13", "12.0", "12.1"])


@pytest.fixture
def superoffice(version):
    with FakeSuperOffice(version) as fake:
        yield fake


@pytest.fixture
def subscribed(hooks):
    run = subscribe("--apply")
    assert run.code == 0, run.text


def act(action: str) -> actions.Result:
    return actions.act("default", action, who="anna")


def newest() -> Watch:
    found = Watch.objects.first()
    assert found is not None
    return found


@pytest.mark.first("version")
@VERSIONS
@pytest.mark.parametrize(
    ("action", "said", "noted"),
    [("test", "test event, and it has arrived", "tested"), ("ping", "has arrived", "pinged")],
)
def test_a_test_and_a_ping_are_said_and_noted(action, said, noted):
    result = act(action)
    assert result.is_well
    assert said in result.sentence
    assert (newest().action, newest().who, newest().state) == (noted, "anna", "Active")


@pytest.mark.first("version")
@VERSIONS
@pytest.mark.parametrize("state", actions.STOPPED_STATES)
def test_a_webhook_is_activated_again_by_a_person(superoffice, state):
    (entry,) = superoffice.entries()
    entry.state, entry.hook.errors = state, 8
    result = act("reactivate")
    assert result == (True, "The webhook is active again.")
    # Before 12.1, one further failure would end it: the ping is a success at once.
    assert (entry.state, entry.hook.errors) == ("Active", 0)
    done = Watch.objects.get(action="reactivated")
    assert done.who == "anna"
    # What a person does is not what REACTIVATE allows.
    assert Watch.objects.reactivated("default").count() == 0


def test_one_that_is_active_is_left_as_it_is(superoffice):
    before = len(superoffice.writes())
    with pytest.raises(NotPossible, match="is Active, so it was left as it is"):
        act("reactivate")
    assert len(superoffice.writes()) == before


def test_one_that_superoffice_cannot_deliver_to_is_not_activated(superoffice):
    superoffice.entries()[0].state = "TooManyErrors"
    superoffice.fail("Webhook/Test", times=9, reply=Reply(200, {"Success": False, "Message": "x"}))
    before = len(superoffice.writes())
    with pytest.raises(NotPossible, match="still cannot deliver"):
        act("reactivate")
    assert len(superoffice.writes()) == before
    assert (newest().state, newest().is_down) == ("TooManyErrors", True)


def test_a_test_that_fails_says_what_superoffice_wrote(superoffice):
    superoffice.fail("Webhook/Test", reply=Reply(200, {"Success": False, "Message": "401 no"}))
    result = act("test")
    assert (result.is_well, "401 no" in result.sentence) == (False, True)


def test_a_ping_that_is_lost_is_said(superoffice):
    lose_pings(superoffice)
    assert act("ping") == (False, "The ping has not arrived.")
    assert (newest().ping, newest().is_down) == ("lost", True)


def test_a_test_does_not_say_that_a_lost_ping_arrives_again(superoffice, connect):
    restored: list[Watch] = []

    def note(*, sender, watch, **kwargs):
        restored.append(watch)

    connect(signals.webhook_restored, note)
    fault = lose_pings(superoffice)
    act("ping")
    act("test")
    subscribe("--apply")
    assert (newest().ping, restored) == ("lost", [])
    fault.times = 0
    act("ping")
    assert (newest().ping, len(restored)) == ("arrived", 1)


def test_a_stopped_webhook_is_not_pinged(superoffice):
    superoffice.entries()[0].state = "Stopped"
    with pytest.raises(NotPossible, match="is Stopped"):
        act("ping")
    assert newest().state == "Stopped"


def test_one_without_the_ping_is_not_pinged(superoffice, hooks, live_server):
    hooks(WEBHOOKS={"default": webhook(superoffice, live_server, ping=False)})
    subscribe("--apply")
    with pytest.raises(NotPossible, match="does not list the event"):
        act("ping")


@pytest.mark.parametrize("action", actions.ACTIONS)
def test_one_that_is_gone_is_said_to_be_so(superoffice, action):
    superoffice.webhooks.entries.clear()
    with pytest.raises(NotPossible, match="has no webhooks"):
        act(action)
    assert newest().state == "missing"


@pytest.mark.parametrize("action", actions.ACTIONS)
def test_superoffice_is_not_waited_for_longer_than_a_person_waits(superoffice, action):
    superoffice.fail("/v1/", times=99, seconds=3)
    started = time.monotonic()
    with deadline.within(0.3), pytest.raises(ApiError, match="no answer in time"):
        act(action)
    assert time.monotonic() - started < 2
    assert (newest().state, newest().who) == ("unknown", "anna")
    assert "no answer in time" in newest().reason


def test_what_superoffice_has_is_noted_without_secrets(superoffice):
    act("test")
    assert newest().actual == {
        "name": "Desk",
        "url": superoffice.entries()[0].values["TargetUrl"],
        "events": ["ticket.created", "ticket.changed", "superoffice_hooks.ping"],
        "headers": [],
        "properties": [],
        "error_emails": [],
        "secret": "newest",
    }


def test_what_no_database_stores_is_noted_all_the_same(superoffice):
    (entry,) = superoffice.entries()
    entry.values["Name"], entry.values["Events"] = "\x00\ud800", ["a.\x00", "b.c"]
    act("test")
    assert newest().differences
