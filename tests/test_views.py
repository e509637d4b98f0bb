"""The webhook view: exactly the listed answers, and nothing behind them is lost or leaked.

Also through the door, in front of either kind of application.
"""

import json
import logging
import threading
import urllib.request
from asyncio import CancelledError
from http import HTTPStatus
from typing import ClassVar

import pytest
from django.db import connection
from django.test import override_settings
from django.urls import reverse

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Redelivery, Rejection, inserting
from superoffice_hooks.wire.signature import sign

from .conftest import PAYLOADS, SECRET, URL, Poster, body, documented
from .door.through import CLIENTS
from .wire.test_notification import BROKEN

pytestmark = pytest.mark.django_db

TWO_ENDPOINTS = {
    "SECRETS": {"default": [SECRET], "tønsberg-2": ["another secret, as long as it should be"]}
}


@pytest.fixture(params=CLIENTS)
def post(request) -> Poster:
    """Each way to the view."""
    return Poster(CLIENTS[request.param])


def secrets_from_somewhere(endpoint: str) -> list[str] | None:
    """A callable as projects write it, for SECRETS = "tests.test_views.secrets_from_somewhere"."""
    if endpoint == "broken":
        raise ConnectionError("the vault is out of reach")
    return {"default": [SECRET], "empty": []}.get(endpoint)


@pytest.mark.words("post")
@pytest.mark.first("post")
class TestDocumentedBodies:
    """Everything SuperOffice documents is answered 200 and kept."""

    @pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
    def test_signed_and_posted_is_answered_200_and_kept(self, post, path):
        response = post(path.read_bytes())
        assert (response.status_code, response.content) == (200, b"OK")
        if path.stem in BROKEN:
            rejection = Rejection.objects.get()
            assert rejection.verified
            assert "not JSON" in rejection.reason
            assert bytes(rejection.body) == path.read_bytes()
            assert not Event.objects.exists()
        else:
            event = Event.objects.get()
            assert bytes(event.body) == path.read_bytes()
            assert event.payload == json.loads(path.read_bytes())
            assert not Rejection.objects.exists()

    def test_the_seed_pages_ticket_is_there_with_its_changed_fields(self, post):
        post(documented("seed-ticket.changed"), headers={"X-Superoffice-Event": "ticket.changed"})
        event = Event.objects.get()
        assert (event.name, event.entity, event.action) == ("ticket.changed", "ticket", "changed")
        assert (event.tenant, event.primary_key, event.associate_id) == ("Default", 527331, 37201)
        assert event.occurred_at.isoformat() == "2018-04-24T08:13:02.835217+00:00"
        assert event.webhook_name == "Name you provided"
        assert event.headers["X-SuperOffice-Event"] == "ticket.changed"
        assert event.remote_addr == "127.0.0.1"
        assert len(event.changes) == 47
        assert event.change_set.fields.count() == 47


@pytest.mark.words("post", "method", "url")
class TestRefusing:
    """No secret, no entry; and the refused learn nothing."""

    def refused(self, response, status: int, reason: str) -> None:
        assert response.status_code == status
        assert response.content == b""
        rejection = Rejection.objects.get()
        assert (rejection.reason, rejection.verified) == (reason, False)
        assert len(bytes(rejection.body)) <= Rejection.objects.HEAD_BYTES
        assert not Event.objects.exists()

    def test_no_signature(self, post):
        self.refused(post(body(), secret=None), 401, "signature missing")

    def test_an_empty_signature(self, post):
        response = post(body(), secret=None, headers={"X-SuperOffice-Signature": ""})
        self.refused(response, 401, "signature missing")

    @pytest.mark.parametrize("signature", ["wrong", "ï\u00ff", "a" * 5000, "=" * 44])
    def test_a_wrong_signature(self, post, signature):
        response = post(body(), secret=None, headers={"X-SuperOffice-Signature": signature})
        self.refused(response, 401, "signature wrong")

    @override_settings(SUPEROFFICE_HOOKS=TWO_ENDPOINTS)
    def test_the_signature_of_another_endpoints_secret(self, post):
        response = post(body(), secret="another secret, as long as it should be")
        self.refused(response, 401, "signature wrong")

    def test_an_unknown_endpoint(self, post):
        self.refused(post(body(), url=f"{URL}nowhere/"), 404, "unknown endpoint")

    @pytest.mark.parametrize("endpoint", ["a%00b", "a%20b", "%3Cscript%3E", "x" * 500, "%F0%9F"])
    def test_an_endpoint_that_cannot_be_a_name(self, post, endpoint):
        self.refused(post(body(), url=f"{URL}{endpoint}/"), 404, "unknown endpoint")

    def test_a_body_of_three_megabytes(self, post):
        response = post(body(Properties="x" * 3_000_000))
        self.refused(response, 413, "body too large")

    @override_settings(
        DATA_UPLOAD_MAX_MEMORY_SIZE=10,
        SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_BODY_BYTES": 5000},
    )
    def test_only_max_body_bytes_limits_the_body(self, post):
        assert post(body(Properties="")).status_code == 200
        assert post(body(Properties="x" * 5000)).status_code == 413

    @pytest.mark.parametrize("secrets", [[], [""], {"default": []}, {"default": ["", ""]}])
    def test_an_endpoint_without_secrets_lets_nobody_in(self, post, secrets):
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}, DEBUG=True):
            self.refused(post(body(), secret=""), 401, "signature wrong")

    def test_a_secret_that_is_no_text_lets_nobody_in_and_spoils_no_other(self, post):
        latin_1 = b"p\xe5ssord som er langt nok".decode("utf-8", "surrogateescape")
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [latin_1]}):
            assert post(body()).status_code == 401
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [latin_1, SECRET]}):
            assert post(body()).status_code == 200

    @pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
    @pytest.mark.parametrize("url", [URL, URL.rstrip("/"), f"{URL}nowhere/"])
    def test_any_other_method(self, post, method, url):
        response = getattr(post.client, method)(url)
        assert (response.status_code, response["Allow"]) == (405, "POST")
        assert response.content == b""

    def test_nothing_that_was_sent_comes_back(self, post):
        response = post(
            body(Entity="<script>secret-of-the-body</script>"),
            secret="wrong",
            url=f"{URL}<script>/",
            headers={"X-SuperOffice-Event": "<script>"},
        )
        sent_back = response.content + str(response.headers).encode()
        assert b"script" not in sent_back
        assert b"secret" not in sent_back

    def test_neither_secrets_nor_signatures_are_stored_or_logged(self, post, caplog):
        caplog.set_level(logging.DEBUG)
        response = post(body(), secret="wrong secret")
        signature = response.wsgi_request.headers["X-SuperOffice-Signature"]
        kept = repr(Rejection.objects.values().get()) + caplog.text
        assert SECRET not in kept
        assert signature not in kept

    def test_telling_receivers_of_a_rejection(self, post, connect):
        told = []
        connect(
            signals.delivery_rejected, lambda rejection, **kwargs: told.append(rejection.reason)
        )
        post(body(), secret="wrong")
        assert told == ["signature wrong"]

    @pytest.mark.parametrize("error", [ValueError(), SystemExit(), CancelledError()], ids=repr)
    def test_what_a_receiver_of_rejections_raises_reaches_nobody(self, post, connect, error):
        def raises(**kwargs):
            raise error

        connect(signals.delivery_rejected, raises)
        assert post(body(), secret="wrong").status_code == 401


@pytest.mark.words("post")
class TestUnsigned:
    """ALLOW_UNSIGNED opens the door for what has no signature, and for nothing else."""

    settings: ClassVar = {"SECRETS": [SECRET], "ALLOW_UNSIGNED": True}

    def test_unsigned_is_let_in(self, post):
        with override_settings(SUPEROFFICE_HOOKS=self.settings):
            assert post(body(), secret=None).status_code == 200

    def test_wrongly_signed_is_refused_all_the_same(self, post):
        with override_settings(SUPEROFFICE_HOOKS=self.settings):
            assert post(body(), secret="wrong").status_code == 401

    def test_what_is_unreadable_and_unsigned_is_bounded(self, post):
        with override_settings(SUPEROFFICE_HOOKS=self.settings):
            assert post(b"[" * 5000, secret=None).status_code == 200
        rejection = Rejection.objects.get()
        assert (rejection.verified, len(bytes(rejection.body))) == (False, 1024)

    def test_debug_alone_opens_nothing(self, post):
        with override_settings(DEBUG=True):
            assert post(body(), secret=None).status_code == 401


@pytest.mark.words("post")
@pytest.mark.first("post")
class TestStrangeBodies:
    """Signed means kept, however strange; unsigned means refused, bounded, and no echo."""

    STRANGE: ClassVar = {
        "broken JSON": b'{"Event": "ticket.chang',
        "a list": b'[{"Event": "ticket.changed"}]',
        "nothing": b"",
        "no EventId": b'{"Event": "ticket.changed"}',
        "EventId no GUID": b'{"Event": "ticket.changed", "EventId": "1234"}',
        "Changes null": b'{"Event": "ticket.changed", "Changes": null}',
        "Changes a string": b'{"Event": "ticket.changed", "Changes": "priority"}',
        "numbers in Changes": b'{"Event": "ticket.changed", "Changes": ["a", 1, null]}',
        "huge PrimaryKey": b'{"Event": "ticket.changed", "PrimaryKey": 1%s}' % (b"0" * 30),
        "5000 digits": b'{"Event": "ticket.changed", "PrimaryKey": %s}' % (b"1" * 5000),
        "NUL": rb'{"Event": "ticket.changed", "Changes": ["\u0000"], "WebhookName": "\u0000"}',
        "raw NUL": b'{"Event": "ticket.changed", "WebhookName": "\x00"}',
        "lone surrogate": rb'{"Event": "\ud800.changed", "Changes": ["\udfff"], "\ud800": 1}',
        "NaN": b'{"Event": "ticket.changed", "x": [NaN, -Infinity, 1e999]}',
        "200 levels": b'{"Event": "a.b", "x": %s%s}' % (b"[" * 200, b"]" * 200),
        "200 levels of objects": b'{"Event": "a.b", "x": %s1%s}' % (b'{"x":' * 200, b"}" * 200),
        "100 000 levels": b"[" * 100_000,
        "unknown event": b'{"Event": "foo.bar.baz", "PrimaryKey": 123}',
        "no event": b"{}",
        "a name that grows in lower case": json.dumps({"Event": "İ" * 60}).encode(),
        "newline in the name": rb'{"Event": "ticket.\nchanged"}',
        "year 1": b'{"Event": "a.b", "Timestamp": "0001-01-01T00:00:00+02:00"}',
        "year 1, west": b'{"Event": "a.b", "Timestamp": "0001-01-01T00:00:00-02:00"}',
        "end of time": b'{"Event": "a.b", "Timestamp": "9999-12-31T23:59:59-12:00"}',
        "local time": b'{"Event": "a.b", "Timestamp": "2018-04-24T08:13:02"}',
        "UTF-16": '{"Event": "ticket.changed"}'.encode("utf-16"),
        "byte order mark": b'\xef\xbb\xbf{"Event": "ticket.changed"}',
        "not UTF-8": b'{"Event": "\xff\xfe"}',
        "long everything": json.dumps(
            {
                "Event": "e" * 999,
                "Entity": "e" * 999,
                "ContextIdentifier": "c" * 999,
                "WebhookName": "w" * 999,
                "Changes": ["f" * 999],
            }
        ).encode(),
        "5000 changes": json.dumps(
            {"Event": "a.b", "Changes": [f"x_{n}" for n in range(5000)]}
        ).encode(),
        "wrong types": b'{"Event": 1, "EventId": [], "PrimaryKey": {}, "ContextIdentifier": 1.5}',
    }

    @pytest.mark.parametrize("sent", STRANGE.values(), ids=STRANGE)
    def test_signed_is_answered_200_and_kept(self, post, sent, connect):
        connect(signals.any_event, lambda event, changes, **kwargs: None)
        assert post(sent).status_code == 200
        assert post(sent).status_code == 200
        events = [bytes(event.body) for event in Event.objects.all()]
        rejections = [bytes(r.body) for r in Rejection.objects.filter(verified=True)]
        assert events == [sent] or rejections == [sent, sent]
        if events:
            assert Event.objects.get().status == Event.Status.SUCCEEDED
            assert Redelivery.objects.count() == 1

    @pytest.mark.parametrize("sent", STRANGE.values(), ids=STRANGE)
    def test_unsigned_is_refused(self, post, sent):
        response = post(sent, secret=None)
        assert (response.status_code, response.content) == (401, b"")
        assert len(bytes(Rejection.objects.get().body)) <= 1024
        assert not Event.objects.exists()


@pytest.mark.parametrize("sent", ["reference-index-01-sale.deleted", "seed-ticket.changed"])
def test_a_captured_body_makes_one_event_whatever_its_headers_say(post, sent):
    for number in range(5):
        made_up = {
            "X-SuperOffice-EventId": f"f0a473ae-6194-4701-8fd1-00000000000{number}",
            "X-SuperOffice-Event": f"made.up{number}",
        }
        assert post(documented(sent), headers=made_up).status_code == 200
    assert Event.objects.get().name == sent.rpartition("-")[2]
    assert Redelivery.objects.count() == 4


class TestUrls:
    """With and without the slash, for the default endpoint and for named ones."""

    @override_settings(SUPEROFFICE_HOOKS=TWO_ENDPOINTS)
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_a_named_endpoint_has_its_own_secret(self, post, slash):
        url = f"{URL}tønsberg-2{slash}"
        response = post(body(), url=url, secret="another secret, as long as it should be")
        assert response.status_code == 200
        assert Event.objects.get().endpoint == "tønsberg-2"

    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize("endpoint", ["", "/default"])
    def test_no_redirect_with_or_without_the_slash(self, post, endpoint, slash):
        assert post(body(), url=f"/superoffice/webhook{endpoint}{slash}").status_code == 200
        assert Event.objects.get().endpoint == "default"

    def test_reversing(self):
        assert reverse("superoffice_hooks:webhook") == "/superoffice/webhook/"
        assert reverse("superoffice_hooks:webhook", args=["b"]) == "/superoffice/webhook/b/"

    @override_settings(SUPEROFFICE_HOOKS=TWO_ENDPOINTS)
    def test_two_endpoints_receive_one_event_each_for_itself(self, post):
        sent = body()
        post(sent)
        post(sent, url=f"{URL}tønsberg-2/", secret="another secret, as long as it should be")
        assert Event.objects.count() == 2


class TestSecretsFromACallable:
    """SECRETS as a dotted path."""

    settings = override_settings(
        SUPEROFFICE_HOOKS={"SECRETS": "tests.test_views.secrets_from_somewhere"}
    )

    @pytest.mark.parametrize(
        ("endpoint", "status"), [("default", 200), ("empty", 401), ("other", 404), ("broken", 503)]
    )
    def test_answers(self, post, endpoint, status):
        with self.settings:
            assert post(body(), url=f"{URL}{endpoint}/").status_code == status


class TestDatabaseTrouble:
    """What the database cannot take now, SuperOffice sends again; what it never will, we keep."""

    @pytest.mark.django_db(transaction=True)
    def test_a_database_out_of_reach_is_503(self, post, database_away):
        with database_away():
            response = post(body())
        assert (response.status_code, response.content) == (503, b"")
        assert not Event.objects.exists()
        assert not Rejection.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_refused_delivery_stays_refused_while_the_database_is_out_of_reach(
        self, post, database_away
    ):
        with database_away():
            assert post(body(), secret="wrong").status_code == 401

    def test_an_error_of_ours_keeps_the_body_and_answers_200(self, post, monkeypatch):
        def stumble(delivery):
            raise KeyError("EventId")

        monkeypatch.setattr("superoffice_hooks.receiving.deliveries.Notification.parse", stumble)
        sent = body()
        assert post(sent).status_code == 200
        rejection = Rejection.objects.get()
        assert (rejection.verified, rejection.reason) == (True, "not storable: KeyError")
        assert bytes(rejection.body) == sent


@pytest.mark.parametrize("address", ["", "unix:", "fe80::1%eth0", "::1", "10.0.0.1"])
def test_any_remote_address_will_do(post, address):
    post.client.defaults["REMOTE_ADDR"] = address
    assert post(body()).status_code == 200
    assert Event.objects.get().remote_addr in {None, "fe80::1", "::1", "10.0.0.1"}


@pytest.mark.django_db(transaction=True)
def test_under_atomic_requests_the_view_is_not_in_a_transaction(post, connect):
    in_transaction = []
    real = inserting.insert

    def insert(event, using, **options):
        in_transaction.append(connection.in_atomic_block)
        real(event, using, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("superoffice_hooks.models.event_queryset.insert", insert)
        post(body())
    assert connection.settings_dict["ATOMIC_REQUESTS"] is True
    assert in_transaction == [False]


@pytest.mark.django_db(transaction=True)
def test_receivers_run_after_the_response_has_been_sent(live_server, connect):
    answered = threading.Event()
    ran_after_the_answer = []
    done = threading.Event()

    def slow(event, **kwargs):
        ran_after_the_answer.append(answered.wait(10))
        done.set()

    connect(signals.ticket_changed, slow)
    status = _post_over_http(live_server.url + URL, body())
    answered.set()
    assert status == HTTPStatus.OK
    assert done.wait(10)
    assert ran_after_the_answer == [True]


@pytest.mark.django_db(transaction=True)
def test_two_threads_posting_the_same_event_at_once_make_one_event_and_one_run_each(connect):
    connect(signals.ticket_changed, first_receiver)
    connect(signals.any_event, second_receiver)
    sent = body()
    together = threading.Barrier(2)
    answers: list[int] = []

    def deliver() -> None:
        together.wait()
        answers.append(Poster()(sent).status_code)
        connection.close()

    for _ in range(5):
        threads = [threading.Thread(target=deliver) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 10
    event = Event.objects.get()
    assert event.status == Event.Status.SUCCEEDED
    assert Redelivery.objects.count() == 9
    assert sorted(ReceiverRun.objects.values_list("receiver", flat=True)) == [
        "tests.test_views.first_receiver",
        "tests.test_views.second_receiver",
    ]


def first_receiver(**kwargs: object) -> None:
    """Does nothing, under a dotted path of its own."""


def second_receiver(**kwargs: object) -> None:
    """Does nothing, under a dotted path of its own."""


def _post_over_http(url: str, sent: bytes) -> int:
    request = urllib.request.Request(  # noqa: S310  (our own live server)
        url,
        sent,
        {"Content-Type": "application/json", "X-SuperOffice-Signature": sign(sent, SECRET)},
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return int(response.status)
