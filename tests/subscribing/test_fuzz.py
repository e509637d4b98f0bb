"""Whatever SuperOffice answers, all ends in a sentence, shows no secret, and believes nothing.

SuperOffice's true answers are changed: values are missing, null or of another type, whole answers
are HTML, cut, errors or redirects, and some quote every secret.
"""

import json
import logging
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from superoffice_hooks.models import Watch
from superoffice_hooks.subscribing import actions, applying, arriving, clients
from superoffice_hooks.superoffice_api import client as api_client
from superoffice_hooks.superoffice_api.errors import ApiError
from superoffice_hooks.superoffice_api.webhooks import STATES
from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply, Request
from superoffice_hooks.wire.values import one_line

from ..conftest import SECRET
from .conftest import Run, subscribe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.early,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]

EXAMPLES = 20
NOT_CARRIED_OUT = (401, 421, 429)
ELSEWHERE = "http://127.0.0.1:1/"
PATHS = (
    "/api/state/",
    "/Authenticate",
    "/jwks",
    "/api$",
    "/User/",
    "/TimeZone/",
    "/Archive/",
    "GET .*/v1/Webhook$",
    "GET .*/v1/Webhook/",
    "PUT .*/v1/Webhook/",
    "POST .*/v1/Webhook$",
    "POST .*/v1/Webhook/Test",
    "POST .*/v1/Webhook/superoffice_hooks.ping/",
    "",
)
"""Which answers are changed; the last one means all."""
WORDS = st.sampled_from(
    ["Active", "Stopped", "TooManyErrors", "\x00", "\ud800", "\u202e", "https://["]
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    WORDS,
    st.just([]),
    st.just({}),
    st.lists(WORDS, max_size=2),
    st.dictionaries(st.text(max_size=5), WORDS, max_size=2),
)
BODIES = st.one_of(
    st.sampled_from(
        [b"", b"<html><h1>Sorry</h1></html>", b"null", b"[]", b"{}", b"[[", b"\xff\x00"]
    ),
    ODD.map(lambda value: json.dumps(value).encode()),
    st.just(b"[" * 100_000),
)


def keys_of(value: Any) -> list[tuple[Any, ...]]:
    """The places in some JSON, each by the keys that lead there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    places: list[tuple[Any, ...]] = []
    for key, one in inside:
        places.append((key,))
        if isinstance(one, dict | list):
            places += [(key, *rest) for rest in keys_of(one)]
    return places


def changed(body: Any, which: int, value: Any, *, is_gone: bool) -> Any:
    """Some JSON with one of its values gone, or replaced."""
    if not isinstance(body, dict | list) or not (places := keys_of(body)):
        return value
    *way, last = places[which % len(places)]
    body = deepcopy(body)
    target = body
    for key in way:
        target = target[key]
    if is_gone:
        del target[last]
    else:
        target[last] = value
    return body


Change = Callable[[Request, Reply, list[str]], Reply]
VALUES = st.builds(
    lambda which, value, is_gone: (
        lambda request, reply, secrets: Reply(
            reply.status, changed(reply.body, which, value, is_gone=is_gone)
        )
    ),
    st.integers(0, 60),
    ODD,
    st.booleans(),
)
WHOLE = st.builds(
    lambda status, body: lambda request, reply, secrets: Reply(status, body),
    st.sampled_from([200, 204, 206, 400, 401, 403, 404, 409, 410, 412, 421, 429, 500, 502, 503]),
    BODIES,
)
CUT = st.builds(
    lambda share: (
        lambda request, reply, secrets: Reply(
            reply.status, reply.content[: int(len(reply.content) * share)]
        )
    ),
    st.floats(0, 1),
)
REDIRECTS = st.builds(
    lambda status: lambda request, reply, secrets: Reply(status, b"", {"Location": ELSEWHERE}),
    st.sampled_from([301, 302, 307, 308]),
)
QUOTES = st.builds(
    lambda status: (
        lambda request, reply, secrets: Reply(
            status, {"ErrorType": secrets[0], "ErrorMessage": " ".join(secrets), "Message": secrets}
        )
    ),
    st.sampled_from([200, 400, 403, 500]),
)
CHANGES: st.SearchStrategy[Change] = st.one_of(VALUES, VALUES, WHOLE, CUT, REDIRECTS, QUOTES)


class Faulty:
    """Changes the answers to some paths, and keeps the states that SuperOffice said then."""

    def __init__(
        self, superoffice: FakeSuperOffice, path: str, change: Change, secrets: list[str]
    ) -> None:
        self.states = {"unknown"}
        self._superoffice = superoffice
        self._path, self._change, self._secrets = path, change, secrets

    def __call__(self, request: Request, reply: Reply) -> Reply:
        if re.search(self._path, f"{request.method} {request.path}"):
            reply = self._change(request, reply, self._secrets)
            if request.method == "POST" and request.path.endswith("/v1/Webhook"):
                self._keep_it_true(reply)
        if request.method == "GET" and request.path.endswith("/v1/Webhook"):
            self._note(reply)
        return reply

    def _keep_it_true(self, reply: Reply) -> None:
        """Take a save back if the answer says that it was not carried out, as HTTP defines it."""
        if reply.status in NOT_CARRIED_OUT:
            self._superoffice.webhooks.entries.clear()

    def _note(self, reply: Reply) -> None:
        try:
            said = json.loads(reply.content)
        except (ValueError, RecursionError):
            return
        if isinstance(said, list) and reply.status == 200:
            self.states |= {"missing", "several"}
            for entity in said:
                state = str(entity.get("State")).strip() if isinstance(entity, dict) else ""
                self.states.add(STATES.get(state, one_line(state, 50)))


def nothing(superoffice: FakeSuperOffice) -> None:
    """Leave SuperOffice without a webhook of ours."""


def subscribed(superoffice: FakeSuperOffice) -> None:
    assert subscribe("--apply").code == 0


def drifted(superoffice: FakeSuperOffice) -> None:
    subscribed(superoffice)
    superoffice.entries()[0].values["Name"] = "Somebody's"


def ended(superoffice: FakeSuperOffice) -> None:
    subscribed(superoffice)
    superoffice.entries()[0].state = "TooManyErrors"


COMMANDS: dict[str, tuple[Callable[[FakeSuperOffice], None], list[str]]] = {
    "connect": (nothing, ["superoffice_connect", "--check"]),
    "compare": (subscribed, ["superoffice_subscribe"]),
    "make": (nothing, ["superoffice_subscribe", "--apply"]),
    "change": (drifted, ["superoffice_subscribe", "--apply"]),
    "watch": (subscribed, ["superoffice_watch"]),
    "reactivate": (ended, ["superoffice_watch"]),
    # What the buttons of a page do, and the API.
    "test by hand": (subscribed, ["by hand", "test"]),
    "ping by hand": (subscribed, ["by hand", "ping"]),
    "reactivate by hand": (ended, ["by hand", "reactivate"]),
}


def said_to_a_person(command: list[str]) -> str:
    """What is said. An error that is none of ours would leave this call."""
    if command[0] == "by hand":
        try:
            return actions.act("default", command[1], who="anna").sentence
        except ApiError as error:
            return str(error)
    run = Run(*command)
    assert run.code in (0, 1, 2)
    return run.text


@pytest.fixture
def quick(monkeypatch, hooks, caplog):
    """Nobody waits: what is waited for is on this machine."""
    monkeypatch.setattr(arriving, "ARRIVAL_SECONDS", 0.1)
    monkeypatch.setattr(api_client, "WAITS", (0.0,))
    monkeypatch.setattr(applying, "LOST_ANSWER_WAITS", (0.0,))
    hooks(REACTIVATE=1)
    caplog.set_level(logging.DEBUG, "superoffice_hooks")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", COMMANDS)
@given(path=st.sampled_from(PATHS), change=CHANGES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_answered_all_ends_in_a_sentence(superoffice, caplog, name, path, change):
    begin, command = COMMANDS[name]
    start_anew(superoffice)
    begin(superoffice)
    clients.forget()
    caplog.clear()
    secrets = secrets_of(superoffice)
    faulty = superoffice.mangle = Faulty(superoffice, path, change, secrets)
    said = said_to_a_person(command)
    superoffice.mangle = None
    assert all(line.isprintable() for line in said.splitlines())
    logged = caplog.text
    assert "Traceback" not in said + logged
    for secret in [*secrets, *superoffice.login.tickets]:
        assert secret not in said + logged
    newest = Watch.objects.exclude(state="saving").first()
    if newest is not None and name != "compare":
        assert newest.state in faulty.states | ({"Active"} if begin is not nothing else set())
    assert not any(secret in repr(list(Watch.objects.values())) for secret in secrets)
    assert len(superoffice.entries()) <= 1


def start_anew(superoffice: FakeSuperOffice) -> None:
    superoffice.mangle = None
    superoffice.webhooks.entries.clear()
    superoffice.requests.clear()
    superoffice.login.tickets.clear()
    Watch.objects.all().delete()
    clients.forget()


def secrets_of(superoffice: FakeSuperOffice) -> list[str]:
    login = superoffice.login
    key = superoffice.connection()["private_key"]
    return [SECRET, login.client_secret, login.system_user_token, key]
