"""The examples of the schema are answers: to the documented events, as they are delivered here.

``TEST_EXAMPLES=1`` writes them anew.
"""

import json
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.settings import api_settings

from superoffice_hooks import signals
from superoffice_hooks.api.schema import EXAMPLES
from superoffice_hooks.models import Dispatcher, Event

from ..conftest import URL, documented
from ..wanting import played, wanting
from .asking import REPLAYS, WHY, ask
from .conftest import API, Caller

if not find_spec("httpx"):
    pytest.skip("needs the extra superoffice", allow_module_level=True)

from superoffice_hooks.subscribing import clients
from superoffice_hooks.subscribing.applying import apply
from superoffice_hooks.testing import FakeSuperOffice

pytestmark = pytest.mark.django_db

MUTE = {**WHY, "until": "2099-12-31T12:00:00+01:00"}
NEW_REPLAY = {"criteria": {"event": "ticket.*", "status": "failed"}, "only_failed": True, **WHY}

# What differs each time, by its key.
SETTLED = {
    "id": 1042,
    "ids": [1042],
    "up_to": 1042,
    "replay": 17,
    "seconds": 0.012,
    "age": 73.4,
    "host": "web1",
    "pid": 4711,
    "begun_by": "web1 pid 4711",
    "claimed_by": "web1 pid 4711",
    "traceback": "Traceback (most recent call last):\n…\nRuntimeError: the mail server is away\n",
}
MOMENT = "2026-05-19T09:56:34.215000+02:00"
REPLACED = {
    r"http://(testserver|localhost:\d+|127\.0\.0\.1:\d+)": "https://crm.example.com",
    r"cursor=\w+": "cursor=b2xkZXJ8MTA0Mg",
    r"tests\.api\.test_examples": "helpdesk.receivers",
    r"tests/api/test_examples\.py": "helpdesk/receivers.py",
    rf"{API}(\w+)/\d+/": rf"{API}\1/1042/",
}


def escalate(replay, **kwargs):
    """A receiver that makes its mistake only the first time."""
    if not replay:
        raise RuntimeError("the mail server is away")


def settled(value: Any, key: str = "") -> Any:
    """The value, with something fixed for what differs each time."""
    if key in SETTLED and value is not None:
        return SETTLED[key]
    match value:
        case dict() if key != "payload":
            return {name: settled(item, name) for name, item in value.items()}
        case list():
            return [settled(item) for item in value]
        case str() if re.match(r"\d{4}-\d\d-\d\dT", value) and key not in OF_SUPEROFFICE:
            return MOMENT
        case str():
            for pattern, instead in REPLACED.items():
                value = re.sub(pattern, instead, value)
    return value


OF_SUPEROFFICE = {"occurred_at", "happened_at", "before", "after"}


@pytest.fixture
def webhook(settings, live_server, monkeypatch) -> Iterator[FakeSuperOffice]:
    """A webhook that is wanted, and a SuperOffice."""
    wanted = {"name": "Help desk", "events": ["ticket.*"]}
    with played(monkeypatch) as superoffice:
        settings.SUPEROFFICE_HOOKS = {
            **settings.SUPEROFFICE_HOOKS,
            **wanting(superoffice, live_server.url + URL, **wanted),
        }
        yield superoffice


@pytest.fixture
def answers(post, connect, replayer, superuser, settings, webhook) -> dict[str, Any]:
    """What is answered to whom asks for everything, by the names of components."""
    connect(signals.ticket_changed, escalate)
    post(documented("seed-ticket.changed"))
    for _ in range(2):
        post(documented("ticket-events-02-ticket.changed"))
    post(documented("ticket-events-01-ticket.created"), secret=None)
    small = Event.objects.latest("pk")
    Dispatcher.of_this_process(Dispatcher.Kind.WEB, 2).note_seen()

    events = replayer.read("events/", event="ticket.*", status="failed", search="1fc5", page_size=1)
    detail = replayer.read(f"events/{small.pk}/")
    rejections = replayer.read("rejections/")
    status = replayer.read("status/")
    groups = replayer.read("failure-groups/")
    at_group = f"failure-groups/{groups['results'][0]['id']}/"
    group = replayer.read(at_group)
    group["example"]["event"] = SETTLED["id"]
    muted = ask(superuser, MUTE, f"{API}{at_group}mute/").json()
    counted = replayer.read("fields/", entity="ticket")
    preview = ask(replayer, {**NEW_REPLAY, "dry_run": True}).json()
    handled = ask(superuser, WHY, f"{API}{at_group}handle/").json()
    replay = ask(replayer, NEW_REPLAY).json()
    assert list(apply("default", who="anna on crm1"))
    return {
        "PaginatedEventList": events,
        "EventDetail": detail,
        "EventReplay": WHY,
        "Counted": counted | {"fields": counted["fields"][:3], "unheard": counted["unheard"][:3]},
        "PaginatedRejectionList": rejections,
        "RejectionDetail": replayer.read(f"rejections/{rejections['results'][0]['id']}/"),
        "PaginatedFailureGroupList": groups,
        "FailureGroupDetail": group,
        "FailureGroup": muted,
        "State": WHY,
        "Mute": MUTE,
        "Handled": handled,
        "NewReplay": NEW_REPLAY,
        "Preview": preview,
        "ReplayDetail": replay,
        "PaginatedReplayList": replayer.read("replays/"),
        "Status": status,
        "WebhookList": replayer.read("webhooks/"),
        "WebhookDetail": replayer.read("webhooks/default/"),
        "WebhookAction": ask(superuser, {}, f"{API}webhooks/default/ping/").json(),
        "Problem": dict(problems(replayer, replay)) | no_answer(superuser, webhook),
    }


def problems(caller: Caller, replay: dict[str, Any]) -> Any:
    """Each answer that is a problem, by its status."""
    as_picture = {"Accept": "image/png"}
    cancel = f"{REPLAYS}{replay['id']}/cancel/"
    for response in (
        caller.get("events/", status="lost"),
        Caller(type(caller.client)()).get("events/"),
        caller.get("events/999999/"),
        caller.client.get(f"{API}events/", headers=as_picture),
        ask(caller, "", cancel),
        ask(caller, "all", REPLAYS, content_type="text/plain"),
        too_many(caller),
    ):
        yield str(response.status_code), json.loads(response.content)


def no_answer(caller: Caller, superoffice: FakeSuperOffice) -> dict[str, Any]:
    """The answer if SuperOffice gives none."""
    superoffice.login.state = "OfflineMaintenance"
    clients.forget()
    response = ask(caller, {}, f"{API}webhooks/default/test/")
    return {str(response.status_code): json.loads(response.content)}


def too_many(caller: Caller) -> Any:
    """The second answer where one replay is allowed."""
    rates = {**api_settings.DEFAULT_THROTTLE_RATES, "superoffice_replay": "1/hour"}
    cache.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)
        return [ask(caller) for _ in range(2)][-1]


@pytest.mark.usefixtures("one_attempt")
def test_they_are_what_the_api_answers(answers):
    found = settled(answers)
    if os.environ.get("TEST_EXAMPLES"):
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        EXAMPLES.write_text(text, encoding="utf-8")
    assert json.loads(EXAMPLES.read_text(encoding="utf-8")) == found
