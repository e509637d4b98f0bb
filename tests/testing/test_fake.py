"""The fake SuperOffice, as far as our own client does not use it: people's tokens, state events."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

if not find_spec("httpx"):
    pytest.skip("needs the extra superoffice", allow_module_level=True)

import httpx
import jwt

from superoffice_hooks.testing import FakeSuperOffice

from ..answering import answering

SYSTEM_TOKEN = "http://schemes.superoffice.net/identity/system_token"


@pytest.fixture
def superoffice() -> Iterator[FakeSuperOffice]:
    with FakeSuperOffice() as fake:
        yield fake


def granted(superoffice: FakeSuperOffice, **changes: str) -> httpx.Response:
    """What the tokens endpoint answers to a form."""
    form = {
        "client_id": superoffice.tokens.client_id,
        "client_secret": superoffice.login.client_secret,
        "redirect_uri": "https://example.com/approved/",
        **changes,
    }
    return httpx.post(f"{superoffice.url}/login/common/oauth/tokens", data=form)


def with_code(superoffice: FakeSuperOffice) -> dict[str, Any]:
    code = superoffice.tokens.code()
    said: dict[str, Any] = granted(superoffice, grant_type="authorization_code", code=code).json()
    return said


def who(superoffice: FakeSuperOffice, **headers: str) -> int:
    """The status of the answer to who we are."""
    url = f"{superoffice.root}/v1/User/currentPrincipal"
    return httpx.get(url, headers=headers).status_code


class TestTokens:
    def test_a_code_gives_an_access_token_once(self, superoffice):
        code = superoffice.tokens.code()
        first, second = (
            granted(superoffice, grant_type="authorization_code", code=code) for _ in range(2)
        )
        said = first.json()
        assert (said["token_type"], said["expires_in"]) == ("Bearer", 3600)
        assert said["access_token"].startswith("8A:Cust12345.")
        assert who(superoffice, Authorization=f"Bearer {said['access_token']}") == 200
        assert (second.status_code, second.json()) == (400, {"error": "invalid_grant"})

    def test_a_refresh_token_is_used_again_and_no_answer_has_a_new_one(self, superoffice):
        token = with_code(superoffice)["refresh_token"]
        for _ in range(2):
            said = granted(superoffice, grant_type="refresh_token", refresh_token=token).json()
            assert "refresh_token" not in said
            assert who(superoffice, Authorization=f"Bearer {said['access_token']}") == 200

    def test_an_access_token_ends(self, superoffice):
        superoffice.tokens.seconds = 0
        token = with_code(superoffice)["access_token"]
        assert who(superoffice, Authorization=f"Bearer {token}") == 401
        superoffice.tokens.seconds = 3600
        token = with_code(superoffice)["access_token"]
        superoffice.expire_tickets()
        assert who(superoffice, Authorization=f"Bearer {token}") == 401

    def test_the_token_of_identity_is_signed_and_has_the_system_user_token(self, superoffice):
        token = with_code(superoffice)["id_token"]
        keys = jwt.PyJWKClient(f"{superoffice.url}/login/.well-known/jwks")
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["RS256"],
            audience=superoffice.tokens.client_id,
            issuer=superoffice.url,
        )
        assert claims[SYSTEM_TOKEN] == superoffice.login.system_user_token

    def test_the_application_may_say_who_it_is_in_the_header(self, superoffice):
        pair = (superoffice.tokens.client_id, superoffice.login.client_secret)
        form = {"grant_type": "authorization_code", "redirect_uri": "https://example.com/"}
        form["code"] = superoffice.tokens.code()
        url = f"{superoffice.url}/login/common/oauth/tokens"
        assert httpx.post(url, data=form, auth=pair).status_code == 200
        broken = {"Authorization": "Basic a"}
        assert httpx.post(url, data=form, headers=broken).status_code == 401

    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"client_secret": "another"}, 401, "invalid_client"),
            ({"client_id": "another"}, 401, "invalid_client"),
            ({"redirect_uri": ""}, 400, "invalid_request"),
            ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
            ({"grant_type": "refresh_token", "refresh_token": "another"}, 400, "invalid_grant"),
            ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ],
    )
    def test_what_is_refused(self, superoffice, changes, status, error):
        form = {"grant_type": "authorization_code", "code": superoffice.tokens.code()}
        answer = granted(superoffice, **{**form, **changes})
        assert (answer.status_code, answer.json()) == (status, {"error": error})

    def test_once_the_approval_is_withdrawn_nothing_is_given(self, superoffice):
        token = with_code(superoffice)["refresh_token"]
        superoffice.login.is_revoked = True
        answer = granted(superoffice, grant_type="refresh_token", refresh_token=token)
        assert answer.json() == {"error": "invalid_grant"}


def test_who_is_not_signed_in_is_refused(superoffice):
    token = {"SO-AppToken": superoffice.login.client_secret}
    superoffice.login.tickets.add("7T:known")
    assert who(superoffice, Authorization="SOTicket 7T:known", **token) == 200
    assert who(superoffice, Authorization="SOTicket 7T:known") == 401
    assert who(superoffice, Authorization="SOTicket 7T:other", **token) == 401
    assert who(superoffice, Authorization="Bearer 8A:Cust12345.other") == 401
    assert who(superoffice) == 401


@pytest.mark.parametrize(
    ("version", "is_known"), [("10.2", True), ("11.13", True), ("12.0", False), ("12.1", False)]
)
def test_a_patch_is_known_before_version_12(version, is_known):
    with FakeSuperOffice(version) as superoffice, answering(200) as server:
        headers = {"Authorization": f"Bearer {with_code(superoffice)['access_token']}"}
        webhooks = f"{superoffice.root}/v1/Webhook"
        values = {"Name": "Desk", "Events": ["ticket.changed"], "TargetUrl": server.url}
        made = httpx.post(webhooks, json=values, headers=headers).json()
        (entry,) = superoffice.entries()

        def patched(said: Any) -> int:
            url = f"{webhooks}/{made['WebhookId']}"
            return httpx.patch(url, json=said, headers=headers).status_code

        replace = {"op": "replace", "path": "/name", "value": "Front desk"}
        if not is_known:
            assert patched([replace]) == 405
            return
        failing = {"op": "test", "path": "Name", "value": "Other"}
        assert (patched([failing, replace]), entry.values["Name"]) == (409, "Desk")
        passing = {"op": "test", "path": "Name", "value": "Desk"}
        assert (patched([passing, replace]), entry.values["Name"]) == (200, "Front desk")
        assert (patched({"State": "Stopped"}), entry.state) == (200, "Stopped")
        assert entry.values["Events"] == ["ticket.changed"]


def test_each_change_of_the_state_is_an_event_for_another_webhook(superoffice):
    headers = {"Authorization": f"Bearer {with_code(superoffice)['access_token']}"}
    webhooks = f"{superoffice.root}/v1/Webhook"

    def saved(method: str, path: str = "", **values: Any) -> dict[str, Any]:
        answer = httpx.request(method, webhooks + path, json=values, headers=headers)
        assert answer.status_code == 200, answer.text
        entity: dict[str, Any] = answer.json()
        return entity

    with answering(200) as watched, answering(200) as watcher:
        values: dict[str, Any] = {"Name": "Desk", "TargetUrl": watched.url}
        values["Events"] = ["ticket.changed"]
        number = saved("POST", **values, State="Active")["WebhookId"]
        names = [f"webhook{number}.{action}" for action in ("started", "stopped", "errors")]
        saved("POST", Name="States", Events=names, TargetUrl=watcher.url, State="Active")
        for state in ("Stopped", "Stopped", "Active"):
            saved("PUT", f"/{number}", **values, State=state)
    events = [request.payload for request in watcher.requests]
    assert [event["Event"] for event in events] == ["test", "webhook.stopped", "webhook.started"]
    assert [event["PrimaryKey"] for event in events[1:]] == [number, number]
