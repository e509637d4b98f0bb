"""The client's manners: where, how often and when again it calls."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from superoffice_hooks.superoffice_api.about import principal_of
from superoffice_hooks.superoffice_api.client import Client
from superoffice_hooks.superoffice_api.connection import Connection
from superoffice_hooks.superoffice_api.errors import (
    NotReached,
    NotRead,
    NotRunning,
    NotSignedIn,
    Refused,
)
from superoffice_hooks.superoffice_api.rate_limit import RateLimit
from superoffice_hooks.superoffice_api.sending import ANSWER_SECONDS, CONNECT_SECONDS
from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply

from ..answering import answering
from .conftest import client_of

ME = r"User/currentPrincipal"


def test_one_sign_in_serves_many_calls(superoffice, client):
    for _ in range(3):
        assert principal_of(client).associate_id == 42
    assert len(superoffice.calls("Authenticate")) == 1
    assert len(superoffice.calls("/api/state/")) == 1


def test_a_ticket_that_has_ended_is_renewed_once(superoffice, client):
    principal_of(client)
    superoffice.expire_tickets()
    assert principal_of(client).associate_id == 42
    assert len(superoffice.calls("Authenticate")) == 2


def test_a_second_refusal_of_the_ticket_is_an_answer(superoffice, client):
    superoffice.fail(ME, times=9, reply=Reply(401, {}))
    with pytest.raises(NotSignedIn, match="does not accept the sign-in"):
        principal_of(client)
    assert len(superoffice.calls(ME)) == 2


def test_a_tenant_that_moved_is_found_at_its_new_address(superoffice, client):
    principal_of(client)
    superoffice.move()
    assert principal_of(client).associate_id == 42
    assert [request.host for request in superoffice.calls(ME)] == [0, 0, 1]


def test_the_address_is_found_anew_after_a_connection_error(superoffice, client):
    principal_of(client)
    superoffice.fail(ME, cut="before")
    assert principal_of(client).associate_id == 42
    assert len(superoffice.calls("/api/state/")) == 2


def test_the_address_is_found_anew_when_it_is_no_longer_valid(superoffice):
    superoffice.login.valid_for = timedelta(minutes=10)
    connection = Connection.read(superoffice.tenant, superoffice.connection())
    now = 1000.0
    with Client(connection, rate=1e9, clock=lambda: now) as client:
        principal_of(client)
        now += 590
        principal_of(client)
        assert len(superoffice.calls("/api/state/")) == 1
        superoffice.move()
        now += 11
        principal_of(client)
    assert [request.host for request in superoffice.calls(ME)] == [0, 0, 1]


@pytest.mark.parametrize("status", [429, 503])
def test_busy_is_waited_for_1_4_and_16_seconds(superoffice, client, naps, status):
    superoffice.fail(ME, times=3, reply=Reply(status, b"<html>"))
    assert principal_of(client).associate_id == 42
    assert [nap for nap in naps if nap >= 1] == [1, 4, 16]


def test_busy_is_waited_for_as_long_as_superoffice_says(superoffice, client, naps):
    superoffice.fail(ME, reply=Reply(429, b"", {"Retry-After": "7"}))
    principal_of(client)
    assert 7 in naps


def test_a_time_to_try_again_may_be_a_date(superoffice, client, naps):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    superoffice.fail(ME, reply=Reply(503, b"", {"Retry-After": soon}))
    principal_of(client)
    assert 20 < max(naps) <= 30


@pytest.mark.parametrize(
    "said", ["-5", "soon", "1.5", "²", "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 99 Jan 2020"]
)
def test_a_time_that_says_nothing_is_not_believed(superoffice, client, naps, said):
    superoffice.fail(ME, reply=Reply(503, b"", {"Retry-After": said}))
    principal_of(client)
    assert [nap for nap in naps if nap >= 1] == [1]


@pytest.mark.parametrize("said", ["3600", "9" * 400, "Fri, 31 Dec 9998 23:59:59 GMT"])
def test_nobody_waits_for_an_hour(superoffice, client, naps, said):
    superoffice.fail(ME, times=9, reply=Reply(503, b"", {"Retry-After": said}))
    with pytest.raises(NotReached, match="not available"):
        principal_of(client)
    assert max(naps, default=0) < 60


def test_after_the_fourth_try_it_is_given_up(superoffice, client):
    superoffice.fail(ME, times=99, reply=Reply(502, b"<html>"))
    with pytest.raises(NotReached, match=r"not available \(502\)"):
        principal_of(client)
    assert len(superoffice.calls(ME)) == 4


def test_an_error_that_superoffice_names_is_not_tried_again(superoffice, client):
    superoffice.fail(ME, reply=Reply(500, {"ErrorType": "SoException", "ErrorMessage": "No."}))
    with pytest.raises(Refused, match=r"It wrote: No\.") as refusal:
        principal_of(client)
    assert (refusal.value.status, refusal.value.kind) == (500, "SoException")
    assert len(superoffice.calls(ME)) == 1


@pytest.mark.parametrize(
    "fault", [{"cut": "after"}, {"cut": "before"}, {"reply": Reply(503, b"")}], ids=str
)
def test_a_call_that_may_have_been_carried_out_is_not_blindly_repeated(superoffice, client, fault):
    superoffice.fail(r"POST .*Webhook$", times=9, **fault)
    with pytest.raises(NotReached):
        client.call("POST", "Webhook", body=dict, repeat=False)
    assert len(superoffice.calls(r"POST .*Webhook$")) == 1


def test_a_redirect_is_not_followed(superoffice, client):
    with answering(200) as elsewhere:
        superoffice.fail(ME, times=9, reply=Reply(302, b"", {"Location": elsewhere.url}))
        with pytest.raises(Refused, match="redirect"):
            principal_of(client)
    assert elsewhere.requests == []


def test_time_outs_are_those_of_the_manners():
    assert (CONNECT_SECONDS, ANSWER_SECONDS) == (10, 60)


def test_calls_keep_their_pace():
    naps: list[float] = []
    pace = RateLimit(5, naps.append)
    for _ in range(4):
        pace.wait()
    assert len(naps) == 3
    assert 0.55 < max(naps) <= 0.6


def test_each_request_has_its_turn(superoffice):
    """Where the tenant is, the two requests of a sign-in, and those that are repeated, too."""
    turns: list[float] = []
    connection = Connection.read(superoffice.tenant, superoffice.connection())
    # No turn comes without a wait, and the waits grow, as nobody waits for them.
    with Client(connection, rate=0.01, sleep=turns.append) as client:
        principal_of(client)
        assert len(superoffice.requests) == 4
        assert len(turns) == len(superoffice.requests) - 1
        superoffice.fail(ME, reply=Reply(401, b""))
        principal_of(client)
        assert len(superoffice.requests) == 8
        assert len(turns) == len(superoffice.requests) - 1
    assert turns == sorted(turns)


def test_nobody_listens(superoffice):
    client = client_of(superoffice, host="http://127.0.0.1:1")
    with pytest.raises(NotReached, match="cannot be reached: no connection"):
        client.address()


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("OfflineMaintenance", "try again later"),
        ("Suspended", "Ask SuperOffice"),
        ("Deleted", "Remove it"),
        (4, "suspended"),
        ("Melted", "status page"),
        (None, "no state"),
        (True, "no state"),
    ],
)
def test_a_tenant_that_does_not_run_has_a_sentence(superoffice, client, state, advice):
    superoffice.login.state = state
    with pytest.raises(NotRunning, match=advice):
        principal_of(client)


@pytest.mark.parametrize("state", ["Running", "OnlineMaintenance"])
def test_the_api_works_in_these_states(superoffice, client, state):
    superoffice.login.state = state
    assert principal_of(client).associate_id == 42


def test_an_unknown_tenant_has_a_sentence(superoffice):
    connection = Connection.read("Cust99999", superoffice.connection())
    with Client(connection) as client, pytest.raises(NotRunning, match="knows no tenant Cust99999"):
        client.address()


@pytest.mark.parametrize(
    "api",
    ["http://api.example.com/Cust12345/api", "https://evil.example.com/api", 7, None, "", "x"],
)
def test_secrets_go_to_no_address_that_cannot_be_trusted(superoffice, client, api):
    superoffice.mangle = lambda request, reply: Reply(body={**reply.body, "Api": api})
    with pytest.raises(NotRead, match="no address of the API that can be trusted"):
        principal_of(client)


def test_on_site_a_user_name_and_a_password_are_enough():
    with FakeSuperOffice(is_on_site=True) as superoffice, client_of(superoffice) as client:
        assert principal_of(client).associate_id == 42
        assert client.version()["NetServerVersion"] == "12.1.721.0"
        with pytest.raises(NotSignedIn), client_of(superoffice, password="wrong") as wrong:
            principal_of(wrong)


def test_calls_say_who_we_are_and_ask_for_json(superoffice, client):
    principal_of(client)
    (request,) = superoffice.calls(ME)
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("superoffice_hooks")
    assert "accept-language" not in request.headers
