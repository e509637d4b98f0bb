"""superoffice_subscribe, through real HTTP, from nothing to as it is wanted."""

from datetime import timedelta

import pytest
from django.db import connection

from superoffice_hooks.models import Event, Watch
from superoffice_hooks.subscribing import applying
from superoffice_hooks.testing.fake import Reply
from superoffice_hooks.wire.event_names import PING

from ..conftest import SECRET, URL
from ..wanting import lose_pings
from .conftest import EVENTS, subscribe, webhook

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("hooks"),
    pytest.mark.words("version", "key", "option"),
]

VERSIONS = ("10.2", "11.13", "12.0", "12.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_from_nothing_and_again(superoffice):
    compared = subscribe()
    assert compared.code == 1
    assert "has no webhook for" in compared.out
    assert superoffice.writes() == []
    applied = subscribe("--apply")
    assert applied.code == 0, applied.text
    (entry,) = superoffice.entries()
    assert entry.values["Events"] == [*EVENTS, PING]
    assert (entry.values["Name"], entry.hook.secret) == ("Desk", SECRET)
    for sentence in ("Signed in", "the test has arrived", "Saved as webhook", "ping has arrived"):
        assert sentence in applied.out
    assert subscribe().code == 0
    before = len(superoffice.writes())
    again = subscribe("--apply")
    assert (again.code, len(superoffice.writes())) == (0, before)
    assert len(superoffice.entries()) == 1


def test_what_was_done_by_whom_is_noted():
    subscribe("--apply")
    watch = Watch.objects.get()
    assert (watch.action, watch.state, watch.ping) == ("created", "Active", "arrived")
    assert " on " in watch.who
    assert watch.webhook


def test_events_arrive_once_it_is_subscribed(superoffice):
    subscribe("--apply")
    (attempt,) = superoffice.send("ticket.changed", PrimaryKey=76)
    assert attempt.succeeded
    assert Event.objects.filter(name="ticket.changed", primary_key=76).exists()


DRIFT = {
    "Name": "Somebody's",
    "Events": ["ticket.created", "contact.created", PING],
    "Headers": {"X-Other": "secret value"},
    "Properties": {"other": 1},
    "State": "Stopped",
    "Secret": "a secret of another hand",
}


@pytest.mark.first("version")
@pytest.mark.parametrize("key", DRIFT)
@pytest.mark.parametrize("version", ["10.2", "12.1"])
def test_drift_by_another_hand_is_shown_and_put_right(superoffice, key):
    subscribe("--apply")
    (entry,) = superoffice.entries()
    entry.values[key] = DRIFT[key]
    if key == "State":
        entry.state = "Stopped"
    compared = subscribe()
    assert compared.code == 1
    assert key.lower() in compared.out
    assert "secret value" not in compared.text
    assert "another hand" not in compared.text
    assert "Use --apply" in compared.err
    assert subscribe("--apply").code == 0
    assert subscribe().code == 0
    assert superoffice.entries()[0].state == "Active"


@pytest.mark.first("version")
@pytest.mark.parametrize("version", VERSIONS)
def test_addresses_for_errors_are_put_right_if_they_are_wanted(superoffice, hooks, live_server):
    hooks(
        WEBHOOKS={"default": webhook(superoffice, live_server, error_emails=["anna@example.com"])}
    )
    subscribe("--apply")
    (entry,) = superoffice.entries()
    key = "ErrorEmails" if superoffice.number >= (12, 0) else "ErrorsEmail"
    entry.values[key] = ["bo@example.com"] if key == "ErrorEmails" else "bo@example.com"
    compared = subscribe()
    assert (compared.code, "error_emails is to be anna@example.com" in compared.out) == (1, True)
    assert subscribe("--apply").code == 0
    assert subscribe().code == 0
    hooks(WEBHOOKS={"default": webhook(superoffice, live_server)})
    assert subscribe().code == 0


def test_several_with_our_address_are_named_and_nothing_is_written(superoffice):
    subscribe("--apply")
    (first,) = superoffice.entries()
    superoffice.webhooks.save({**first.values, "Name": "Second"}, first.application)
    before = len(superoffice.writes())
    Watch.objects.all().delete()
    stopped = subscribe("--apply")
    assert stopped.code == 1
    assert "Several webhooks" in stopped.err
    assert "(Second, Active)" in stopped.err
    assert len(superoffice.writes()) == before
    second = str(superoffice.entries()[1].id)
    assert subscribe("--apply", "--adopt", second).code == 0
    # It is remembered which one is ours.
    assert subscribe().code == 0
    deleted = subscribe("--apply", "--delete", str(first.id))
    assert f"Webhook {first.id} (Desk," in deleted.out
    assert [entry.id for entry in superoffice.entries()] == [int(second)]


@pytest.mark.parametrize("option", ["--adopt", "--delete"])
def test_a_webhook_that_is_not_there_is_neither_adopted_nor_deleted(superoffice, option):
    run = subscribe("--apply", option, "99999")
    assert run.code == 1
    assert "no webhook 99999" in run.err
    assert superoffice.writes() == []


def test_nothing_is_saved_if_superoffice_cannot_deliver(superoffice, hooks, live_server):
    wrong = webhook(superoffice, live_server, url=live_server.url + "/nowhere/")
    hooks(WEBHOOKS={"default": wrong})
    run = subscribe("--apply")
    assert run.code == 1
    assert "cannot deliver" in run.err
    assert "HTTP/1.1 404" in run.err
    assert superoffice.writes() == []


def test_a_ping_that_does_not_arrive_is_said(superoffice, hooks, live_server):
    lose_pings(superoffice)
    run = subscribe("--apply")
    assert run.code == 1
    assert "ping has not arrived" in run.err
    assert Watch.objects.get().ping == "lost"


def test_the_webhook_for_states_comes_second(superoffice, hooks, live_server):
    states = {
        "tenant": superoffice.tenant,
        "url": f"{live_server.url}{URL}states/",
        "states_of": "default",
    }
    hooks(
        SECRETS={"default": [SECRET], "states": ["another secret of the tests"]},
        WEBHOOKS={"states": states, "default": webhook(superoffice, live_server)},
    )
    alone = subscribe("states")
    assert (alone.code, "Subscribe 'default' first" in alone.err) == (2, True)
    assert subscribe("--apply").code == 0
    first, second = superoffice.entries()
    assert f"webhook{first.id}.errors" in second.values["Events"]
    first.hook.url = live_server.url + "/nowhere/"
    for _ in range(3):
        superoffice.send("ticket.changed")
    assert Event.objects.filter(endpoint="states", name="webhook.errors").exists()


class TestRotation:
    NEW = "the new secret of the tests, long enough"

    def test_the_new_secret_is_in_use_only_after_tests_with_it_have_arrived(
        self, superoffice, hooks
    ):
        subscribe("--apply")
        hooks(SECRETS=[self.NEW, SECRET])
        compared = subscribe()
        assert "secret is to be the newest one, and is an older one" in compared.out
        run = subscribe("--apply", "--rotate")
        assert run.code == 0, run.text
        assert superoffice.entries()[0].hook.secret == self.NEW
        assert "3 tests that were signed" in run.out
        assert "already" in subscribe("--apply", "--rotate").out
        assert Watch.objects.filter(action="rotated").count() == 1

    def test_the_old_secret_alone_is_no_rotation(self, hooks):
        subscribe("--apply")
        hooks(SECRETS=[self.NEW])
        run = subscribe("--apply", "--rotate")
        assert (run.code, "keep the old one" in run.err) == (1, True)

    def test_servers_that_do_not_know_the_new_secret_keep_the_old_one_in_use(
        self, superoffice, hooks, monkeypatch
    ):
        subscribe("--apply")
        monkeypatch.setattr("superoffice_hooks.receiving.deliveries.is_signed", _only_the_old_one)
        hooks(SECRETS=[self.NEW, SECRET])
        run = subscribe("--apply", "--rotate")
        assert (run.code, "the old one stays in use" in run.err) == (1, True)
        assert superoffice.entries()[0].hook.secret == SECRET

    def test_another_change_leaves_the_secret_in_use(self, superoffice, hooks, live_server):
        subscribe("--apply")
        changed = webhook(superoffice, live_server, name="Front desk")
        hooks(SECRETS=[self.NEW, SECRET], WEBHOOKS={"default": changed})
        assert subscribe("--apply").code == 0
        (entry,) = superoffice.entries()
        assert (entry.values["Name"], entry.hook.secret) == ("Front desk", SECRET)


def _only_the_old_one(signature, body, secrets):
    from superoffice_hooks.wire.signature import is_signed

    return is_signed(signature, body, [SECRET])


class TestTheAnswerOfASaveIsLost:
    @pytest.fixture(autouse=True)
    def _quickly(self, monkeypatch):
        monkeypatch.setattr(applying, "LOST_ANSWER_WAITS", (0.0, 0.0))

    def test_a_save_that_went_through_is_found(self, superoffice):
        superoffice.fail(r"POST .*/v1/Webhook$", cut="after")
        assert subscribe("--apply").code == 0
        assert len(superoffice.entries()) == 1
        assert len(superoffice.calls(r"POST .*/v1/Webhook$")) == 1

    def test_a_save_that_did_not_is_not_repeated_blindly(self, superoffice):
        superoffice.fail(r"POST .*/v1/Webhook$", cut="before")
        run = subscribe("--apply")
        assert (run.code, "gave no answer to the save" in run.err) == (2, True)
        assert len(superoffice.calls(r"POST .*/v1/Webhook$")) == 1
        # The next run waits until the first save cannot go on any more.
        Watch.objects.update(since="2020-01-01T00:00:00Z")
        assert subscribe("--apply").code == 0
        assert len(superoffice.entries()) == 1

    def test_the_next_run_waits_for_a_save_that_may_go_on(self, superoffice, monkeypatch):
        waits = []

        def wait(seconds):
            waits.append(seconds)
            (superoffice.entries() or superoffice.webhooks.save(values, secret))

        superoffice.fail(r"POST .*/v1/Webhook$", cut="before")
        subscribe("--apply")
        (request,) = superoffice.calls(r"POST .*/v1/Webhook$")
        values, secret = request.json, request.headers["so-apptoken"]
        monkeypatch.setattr("superoffice_hooks.subscribing.applying.time.sleep", wait)
        run = subscribe("--apply")
        assert run.code == 0, run.text
        assert waits
        assert len(superoffice.entries()) == 1

    def test_a_save_that_began_before_and_shows_later_is_waited_for(self, superoffice, monkeypatch):
        """A row has its number before it commits, so each of two may think to be the first."""
        late: list[Watch] = []

        def mangle(request, reply):
            saving = Watch.objects.filter(state="saving")
            is_a_look = request.path.endswith("/v1/Webhook") and not late
            if is_a_look and saving.exists():
                late.append(Watch.begin_saving("default", superoffice.tenant, "another"))
                late[0].delete()
                late[0].pk = -1
                late[0].save(force_insert=True)
            connection.close()
            return reply

        def wait(seconds):
            superoffice.entries() or superoffice.webhooks.save(values, secret)

        superoffice.fail(r"POST .*/v1/Webhook$", cut="before")
        subscribe("--apply")
        (request,) = superoffice.calls(r"POST .*/v1/Webhook$")
        values, secret = request.json, request.headers["so-apptoken"]
        Watch.objects.all().delete()
        monkeypatch.setattr("superoffice_hooks.subscribing.applying.time.sleep", wait)
        superoffice.mangle = mangle
        run = subscribe("--apply")
        assert run.code == 0, run.text
        assert "Another process has begun" in run.out
        assert len(superoffice.entries()) == 1

    def test_a_refused_save_leaves_nothing_to_wait_for(self, superoffice):
        refusal = Reply(500, {"ErrorType": "SoException", "ErrorMessage": "No licence."})
        superoffice.fail(r"POST .*/v1/Webhook$", reply=refusal)
        run = subscribe("--apply")
        assert (run.code, "No licence." in run.err) == (1, True)
        assert not Watch.objects.exists()


class TestItCannotBeTold:
    def test_a_key_that_is_wrong(self, superoffice, hooks):
        connection = superoffice.connection() | {"private_key": "/nowhere"}
        hooks(CONNECTIONS={superoffice.tenant: connection})
        run = subscribe()
        assert (run.code, "private key cannot be read" in run.err) == (2, True)

    def test_a_token_that_was_revoked(self, superoffice):
        superoffice.login.is_revoked = True
        run = subscribe("--apply")
        assert (run.code, "was revoked" in run.err) == (2, True)

    def test_a_clock_that_is_wrong(self, superoffice):
        superoffice.login.clock = timedelta(minutes=30)
        run = subscribe()
        assert (run.code, "Set the clock" in run.err) == (2, True)

    def test_a_tenant_that_does_not_run(self, superoffice):
        superoffice.login.state = "OfflineMaintenance"
        run = subscribe()
        assert (run.code, "not running (OfflineMaintenance)" in run.err) == (2, True)

    def test_a_tenant_that_moved_is_no_trouble(self, superoffice):
        subscribe("--apply")
        superoffice.move()
        assert subscribe().code == 0

    def test_an_endpoint_that_is_not_wanted(self):
        run = subscribe("sales")
        assert (run.code, "has no 'sales'" in run.err) == (2, True)

    def test_no_webhook_is_wanted(self, hooks):
        hooks(WEBHOOKS={})
        assert "wants no webhook" in subscribe().err

    def test_an_option_for_one_of_several(self, hooks, superoffice, live_server):
        one = webhook(superoffice, live_server)
        hooks(WEBHOOKS={"default": one, "sales": one})
        assert "want one endpoint" in subscribe("--apply", "--rotate").err


def test_a_save_that_was_begun_and_whose_process_died_is_forgotten_once_the_webhook_is_there():
    subscribe("--apply")
    Watch.begin_saving("default", "Cust12345", "somebody")
    assert subscribe("--apply").code == 0
    assert not Watch.objects.filter(state="saving").exists()
