"""The examples of the schema are answers: to the documented events, as they are delivered here.

``TEST_EXAMPLES=1`` writes them anew.
"""

import json
import os
import re
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.settings import api_settings

from superoffice_hooks import signals
from superoffice_hooks.api.schema import EXAMPLES
from superoffice_hooks.models import Dispatcher, Event

from ..conftest import documented
from .asking import REPLAYS, WHY, ask
from .conftest import API, Caller

pytestmark = pytest.mark.django_db

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
    "traceback": "Traceback (most recent call last):\n…\nRuntimeError: the mail server is away\n",
}
MOMENT = "2026-05-19T09:56:34.215000+02:00"
REPLACED = {
    r"http://testserver": "https://crm.example.com",
    r"cursor=\w+": "cursor=b2xkZXJ8MTA0Mg",
    r"tests\.api\.test_examples": "helpdesk.receivers",
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
def answers(post, connect, replayer, settings) -> dict[str, Any]:
    """What is answered to whom asks for everything, by the names of components."""
    connect(signals.ticket_changed, escalate)
    post(documented("seed-ticket.changed"))
    for _ in range(2):
        post(documented("ticket-events-02-ticket.changed"))
    post(documented("ticket-events-01-ticket.created"), secret=None)
    small = Event.objects.latest("pk")
    Dispatcher.of_this_process(Dispatcher.Kind.WEB, 2).say()

    events = replayer.read("events/", event="ticket.*", status="failed", search="1fc5", page_size=1)
    detail = replayer.read(f"events/{small.pk}/")
    rejections = replayer.read("rejections/")
    status = replayer.read("status/")
    counted = replayer.read("fields/", entity="ticket")
    plan = ask(replayer, {**NEW_REPLAY, "dry_run": True}).json()
    replay = ask(replayer, NEW_REPLAY).json()
    return {
        "PaginatedEventList": events,
        "EventDetail": detail,
        "EventReplay": WHY,
        "Counted": counted | {"fields": counted["fields"][:3], "unheard": counted["unheard"][:3]},
        "PaginatedRejectionList": rejections,
        "RejectionDetail": replayer.read(f"rejections/{rejections['results'][0]['id']}/"),
        "NewReplay": NEW_REPLAY,
        "Plan": plan,
        "ReplayDetail": replay,
        "PaginatedReplayList": replayer.read("replays/"),
        "Status": status,
        "Problem": dict(problems(replayer, replay)),
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


def too_many(caller: Caller) -> Any:
    """The second answer where one replay is allowed."""
    rates = {**api_settings.DEFAULT_THROTTLE_RATES, "superoffice_replay": "1/hour"}
    cache.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)
        return [ask(caller) for _ in range(2)][-1]


def test_they_are_what_the_api_answers(answers):
    found = settled(answers)
    if os.environ.get("TEST_EXAMPLES"):
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        EXAMPLES.write_text(text, encoding="utf-8")
    assert json.loads(EXAMPLES.read_text(encoding="utf-8")) == found
