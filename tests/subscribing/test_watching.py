"""superoffice_watch: what has stopped is noticed within one look, and brought back if it may be."""

from asyncio import CancelledError
from itertools import product

import pytest
from django.db import connections
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Watch, queue
from superoffice_hooks.subscribing import watching
from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply

from ..answering import answering
from ..conftest import SECRET
from ..wanting import lose_pings
from .conftest import Run, subscribe

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("subscribed"),
    pytest.mark.words("version", "counts", "state"),
]

MEANINGS = pytest.mark.parametrize(
    ("version", "counts"),
    list(product(["10.2", "11.13", "12.0", "12.1"], ["attempts", "events"])),
)


@pytest.fixture
def counts() -> str:
    return "attempts"


@pytest.fixture
def superoffice(version, counts):
    with FakeSuperOffice(version, counts=counts) as fake:
        yield fake


@pytest.fixture
def subscribed(hooks):
    run = subscribe("--apply")
    assert run.code == 0, run.text


@pytest.fixture
def told(connect) -> list[str]:
    """What the two signals said, in order."""
    heard: list[str] = []

    def stopped(*, sender, watch, **kwargs):
        heard.append(f"stopped: {watch.state}{watch.ping and ', ping ' + watch.ping}")

    def restored(*, sender, watch, **kwargs):
        heard.append(f"restored: {watch.state}")

    connect(signals.webhook_stopped, stopped)
    connect(signals.webhook_restored, restored)
    return heard


def watch() -> Run:
    return Run("superoffice_watch")


def break_it(superoffice) -> None:
    """Nine failures in a row, by one of the two meanings: our servers lose the secret."""
    (entry,) = superoffice.entries()
    secret, entry.hook.secret = entry.hook.secret, "forgotten for a while"
    for _ in range(9):
        superoffice.send("ticket.changed")
    entry.hook.secret = secret
    assert entry.state == "TooManyErrors"


def test_a_webhook_that_delivers_is_well_and_one_row(told):
    for _ in range(2):
        run = watch()
        assert run.code == 0, run.text
        assert "is Active; its ping arrived" in run.out
    assert Watch.objects.count() == 1
    assert told == []


@pytest.mark.first("version", "counts")
@MEANINGS
def test_nine_failures_are_noticed_within_one_look(superoffice, told):
    break_it(superoffice)
    run = watch()
    assert run.code == 1
    assert "is TooManyErrors" in run.out
    assert told == ["stopped: TooManyErrors"]
    newest = Watch.objects.first()
    assert newest.consecutive_errors == 9
    assert newest.last_error == "HTTP/1.1 401"
    watch()
    assert len(told) == 1


@pytest.mark.first("version", "counts")
@MEANINGS
def test_a_webhook_that_was_ended_is_activated_again_once(superoffice, hooks, told):
    hooks(REACTIVATE=1)
    break_it(superoffice)
    run = watch()
    assert run.code == 0, run.text
    assert told == ["stopped: TooManyErrors", "restored: Active"]
    # The success that was provoked has zeroed the counter, also before 12.1.
    assert superoffice.entries()[0].hook.errors == 0
    assert Watch.objects.filter(action="reactivated").count() == 1
    break_it(superoffice)
    assert watch().code == 1
    assert told[2:] == ["stopped: TooManyErrors"]
    assert superoffice.entries()[0].state == "TooManyErrors"


@pytest.mark.first("version", "counts")
@MEANINGS
def test_one_410_is_the_same(superoffice, hooks, told):
    hooks(REACTIVATE=1)
    (entry,) = superoffice.entries()
    url = entry.hook.url
    with answering(410) as gone:
        entry.hook.url = gone.url
        superoffice.send("ticket.changed")
    entry.hook.url = url
    assert entry.state == "TooManyErrors"
    assert watch().code == 0
    assert told == ["stopped: TooManyErrors", "restored: Active"]
    assert Watch.objects.filter(action="reactivated").count() == 1
    assert superoffice.send("ticket.changed")[0].succeeded


def test_it_is_left_alone_if_superoffice_still_cannot_deliver(superoffice, hooks, told):
    hooks(REACTIVATE=5)
    break_it(superoffice)
    hooks(SECRETS=["another secret than SuperOffice has"])
    superoffice.entries()[0].values["Secret"] = SECRET
    superoffice.fail(
        "Webhook/Test", times=9, reply=Reply(200, {"Success": False, "Message": "401"})
    )
    run = watch()
    assert run.code == 1
    assert "still cannot deliver" in run.out
    assert superoffice.entries()[0].state == "TooManyErrors"
    assert not Watch.objects.filter(action="reactivated").exists()


def test_one_that_fails_again_is_not_activated_for_ever(superoffice, hooks, told):
    hooks(REACTIVATE=5)
    break_it(superoffice)
    lose_pings(superoffice)
    assert watch().code == 1
    # The second one says that the activation was of no use.
    assert told == ["stopped: TooManyErrors", "stopped: Active, ping lost"]
    superoffice.entries()[0].state = "TooManyErrors"
    assert watch().code == 1
    assert superoffice.entries()[0].state == "TooManyErrors"
    assert Watch.objects.filter(action="reactivated").count() == 1


def test_one_that_a_person_stopped_is_left_alone(superoffice, hooks, told):
    hooks(REACTIVATE=5)
    superoffice.entries()[0].state = "Stopped"
    assert watch().code == 1
    assert superoffice.entries()[0].state == "Stopped"
    assert told == ["stopped: Stopped"]


def test_one_that_is_gone_as_after_a_copy_of_the_tenant(superoffice, told):
    superoffice.webhooks.entries.clear()
    run = watch()
    assert (run.code, "missing" in run.out) == (1, True)
    assert told == ["stopped: missing"]


def test_active_and_yet_nothing_comes(superoffice, told):
    lose_pings(superoffice)
    run = watch()
    assert (run.code, "its ping did not arrive" in run.out) == (1, True)
    assert told == ["stopped: Active, ping lost"]


def test_what_was_not_read_is_not_believed(superoffice, told):
    superoffice.login.state = "Suspended"
    run = watch()
    assert (run.code, "suspended it" in run.out) == (2, True)
    assert told == []
    newest = Watch.objects.first()
    assert (newest.state, newest.webhook) == ("unknown", None)
    superoffice.login.state = "Running"
    assert watch().code == 0
    assert told == []


def listed_as(superoffice, state) -> None:
    superoffice.mangle = lambda request, reply: (
        Reply(200, [{**entity, "State": state} for entity in reply.body])
        if request.path.endswith("/v1/Webhook")
        else reply
    )


@pytest.mark.parametrize("state", [None, True, {"a": 1}, [], 1.5])
def test_a_state_that_cannot_be_read_is_unknown(superoffice, told, state):
    listed_as(superoffice, state)
    assert watch().code == 2
    assert told == []


def test_one_in_a_state_that_nobody_has_documented_is_down_and_left_alone(superoffice, hooks, told):
    hooks(REACTIVATE=5)
    listed_as(superoffice, "Paused")
    assert watch().code == 1
    listed_as(superoffice, "Active")
    assert watch().code == 0
    assert told == ["stopped: Paused", "restored: Active"]


def test_a_difference_is_wrong_though_it_delivers(superoffice):
    superoffice.entries()[0].values["Name"] = "Somebody's"
    run = watch()
    assert (run.code, "differs from what is wanted in name" in run.out) == (1, True)


@pytest.mark.parametrize("error", [ValueError("no mail server"), SystemExit(), CancelledError()])
def test_a_receiver_that_raises_keeps_nobody_from_looking(superoffice, connect, caplog, error):
    def raises(**kwargs):
        raise error

    connect(signals.webhook_stopped, raises)
    superoffice.entries()[0].state = "Stopped"
    assert watch().code == 1
    assert "raised for default: stopped" in caplog.text


def test_a_transaction_that_a_receiver_leaves_open_is_undone(superoffice, connect):
    def begins(watch, **kwargs):
        connections[queue.using()].set_autocommit(False)

    connect(signals.webhook_stopped, begins)
    superoffice.entries()[0].state = "Stopped"
    assert watch().code == 1
    assert connections[queue.using()].get_autocommit()


def test_last_errors_have_no_secrets(superoffice):
    break_it(superoffice)
    superoffice.entries()[0].last_error = f"set-cookie: sessionid=abc\r\n{SECRET} 7T:abcdefgh=="
    watch()
    shown = Watch.objects.first().last_error
    assert "sessionid" not in shown
    assert SECRET not in shown
    assert "7T:" not in shown


def test_one_process_looks_at_a_time(superoffice):
    before = len(superoffice.calls("GET .*/v1/Webhook$"))
    watching.watch_due(300)
    assert len(superoffice.calls("GET .*/v1/Webhook$")) == before
    Watch.objects.update(looked_at="2020-01-01T00:00:00Z")
    watching.watch_due(300)
    watching.watch_due(300)
    assert len(superoffice.calls("GET .*/v1/Webhook$")) == before + 1


def test_rows_are_bounded(superoffice):
    now = timezone.now()
    Watch.objects.bulk_create(
        Watch(endpoint=endpoint, state="Active", since=now, looked_at=now)
        for endpoint in ("default", "other")
        for _ in range(499)
    )
    for n in range(3):
        superoffice.entries()[0].values["Name"] = f"Name {n}"
        watch()
    assert Watch.objects.filter(endpoint="default").count() == 500
    assert Watch.objects.filter(endpoint="other").count() == 499
