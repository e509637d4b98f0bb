"""No secret, ticket or key shows in a repr, a log, a message or an error report."""

import html
import json
import logging
import sys
from urllib.parse import quote

import pytest
from django.views.debug import ExceptionReporter

from superoffice_hooks.superoffice_api.about import principal_of
from superoffice_hooks.superoffice_api.client import Client
from superoffice_hooks.superoffice_api.connection import Connection
from superoffice_hooks.superoffice_api.errors import ApiError, NotSignedIn
from superoffice_hooks.superoffice_api.redacting import Secret, redacted
from superoffice_hooks.superoffice_api.webhooks import Webhooks
from superoffice_hooks.testing.fake import Reply

HOOK_SECRET = "the secret of the webhook, long enough"


def hidden(superoffice) -> list[str]:
    values = superoffice.connection()
    key = values["private_key"].split("\n")[1]
    return [
        values["client_secret"],
        values["system_user_token"],
        key,
        HOOK_SECRET,
        *superoffice.login.tickets,
    ]


def report(act) -> str:
    """Django's report of what comes out of a call, as HTML and as text."""
    try:
        act()
    except ApiError:
        reporter = ExceptionReporter(None, *sys.exc_info())
        return reporter.get_traceback_html() + reporter.get_traceback_text()
    raise AssertionError("There was no error.")


def assert_hides(superoffice, text: str) -> None:
    for secret in hidden(superoffice):
        assert secret not in text
    assert "7T:" not in text
    assert "eyJ" not in text


def echoing(superoffice):
    """A SuperOffice that quotes what it was sent, and more."""

    def mangle(request, reply):
        if "Webhook" not in request.path:
            return reply
        told = f"{request.headers} {request.body!r} {superoffice.connection()} {HOOK_SECRET}"
        return Reply(500, {"ErrorType": "Echo", "ErrorMessage": told})

    return mangle


def save(client):
    values = {"Name": "Desk", "Secret": Secret(HOOK_SECRET), "TargetUrl": "http://127.0.0.1:1/"}
    return Webhooks(client, [Secret(HOOK_SECRET)]).test(values)


@pytest.mark.parametrize("moment", ["signing in", "verifying", "calling", "sending", "reading"])
def test_no_error_report_shows_them(superoffice, client, monkeypatch, moment):
    client._secrets += (Secret(HOOK_SECRET),)
    match moment:
        case "signing in":
            superoffice.login.is_revoked = True
        case "verifying":
            superoffice.fail("jwks", reply=Reply(200, {"keys": "none"}))
        case "calling":
            superoffice.mangle = echoing(superoffice)
        case "sending":

            def stumble(*args, **kwargs):
                raise MemoryError

            principal_of(client)
            monkeypatch.setattr("httpx.Client.stream", stumble)
        case "reading":
            superoffice.fail("Webhook/Test", reply=Reply(200, {"Secret": HOOK_SECRET}))
    assert_hides(superoffice, report(lambda: save(client)))


def test_a_webhook_that_cannot_be_read_hides_its_secret(superoffice, client):
    entity = {"WebhookId": None, "Secret": HOOK_SECRET, "State": "Active"}
    superoffice.fail(r"GET .*Webhook$", reply=Reply(200, [entity]))
    assert_hides(superoffice, report(lambda: Webhooks(client).all()))


def test_no_log_shows_them(superoffice, client, caplog):
    caplog.set_level(logging.DEBUG)
    save(client)
    superoffice.expire_tickets()
    Webhooks(client).all()
    assert caplog.records
    assert_hides(superoffice, caplog.text)


def test_no_repr_shows_them(superoffice, client):
    connection = Connection.read(superoffice.tenant, superoffice.connection())
    principal_of(client)
    shown = f"{connection!r} {connection} {client!r} {client._credentials._headers!r}"
    assert "Secret(…)" in shown
    assert_hides(superoffice, shown)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: SOTicket 7T:abcdefgh==",
        "SOTicket 7T:YWJjZGVmZw+/==",
        "Bearer 8A:Cust12345.abcdefgh",
        "set-cookie: sessionid=abcdefgh; HttpOnly\r\nServer: x",
        "a token eyJhbGciOiJSUzI1NiJ9.abcdefgh.x",
        "x-superoffice-signature: abcdefgh",
    ],
)
def test_telltale_texts_are_hidden_without_being_known(text):
    assert "abcdefgh" not in redacted(text)
    assert "[hidden]" in redacted(text)


def test_a_long_text_is_cut_and_stays_in_its_line():
    shown = redacted("a\nb\x1b[31m" + "c" * 9000)
    assert len(shown) < 600
    assert shown.isprintable()


@pytest.mark.parametrize("spelling", [str, html.escape, quote, json.dumps])
def test_a_secret_is_hidden_in_any_spelling(spelling):
    secret = 'a"secret&withä<signs'
    shown = redacted(f"before {spelling(secret)} after", [Secret(secret)])
    assert "before" in shown
    assert "after" in shown
    assert "signs" not in shown


@pytest.mark.parametrize("before", [" " * 9_990, "secret" * 1_666])
def test_no_half_of_a_secret_stays_where_a_text_is_cut(before):
    assert "sec" not in redacted(before + "secret" * 9, [Secret("secret")]).replace("hidden", "")


def test_what_is_too_short_for_a_secret_hides_nothing():
    """The value of a header may be as short."""
    assert redacted("HTTP/1.1 401", [Secret("1")]) == "HTTP/1.1 401"


def test_a_secret_is_compared_by_its_text():
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_a_sign_in_that_is_refused_hides_the_secrets_of_webhooks_too(superoffice):
    refusal = {"IsSuccessful": False, "ErrorMessage": f"No: {HOOK_SECRET}"}
    superoffice.fail("/Login/", reply=Reply(200, refusal))
    connection = Connection.read(superoffice.tenant, superoffice.connection())
    with (
        Client(connection, secrets=(Secret(HOOK_SECRET),)) as client,
        pytest.raises(NotSignedIn, match=r"No: \[hidden\]") as refused,
    ):
        principal_of(client)
    assert HOOK_SECRET not in str(refused.value)
