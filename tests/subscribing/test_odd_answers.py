"""Texts that do something to a terminal, or to nobody's encoding; addresses written otherwise."""

from collections.abc import Callable
from importlib import import_module
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from superoffice_hooks.models import Watch
from superoffice_hooks.subscribing import configured, watching
from superoffice_hooks.testing.fake import Reply, Request

from ..conftest import URL
from .conftest import Run, subscribe, webhook

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hooks")]

ODD = "odd\ud800\x1b[31m"


def written(*command: str) -> str:
    """What a command writes to a terminal that takes UTF-8."""
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    try:
        call_command(*command, stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
    return "".join(one.buffer.getvalue().decode() for one in (out, err))


def listed_with(**values: Any) -> Callable[[Request, Reply], Reply]:
    """Let webhooks be listed with other values."""
    return lambda request, reply: (
        Reply(200, [{**entity, **values} for entity in reply.body])
        if request.path.endswith("/v1/Webhook")
        else reply
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Name", ODD),
        ("Events", [ODD]),
        ("Headers", {ODD: "a"}),
        ("Properties", {ODD: 1}),
        ("TargetUrl", f"https://example.com/{ODD}"),
        ("State", ODD),
        ("LastError", ODD),
    ],
)
@pytest.mark.parametrize("command", ["superoffice_subscribe", "superoffice_watch"])
def test_odd_texts_are_shown_by_their_codes(superoffice, entry, command, key, value):
    superoffice.mangle = listed_with(**{key: value})
    text = written(command)
    assert "\x1b" not in text
    if command == "superoffice_subscribe" and key != "LastError":
        assert "\\ud800\\x1b[31m" in text


@pytest.mark.parametrize("key", ["State", "Api"])
def test_odd_texts_about_a_tenant_are_shown_by_their_codes(superoffice, key):
    superoffice.mangle = lambda request, reply: (
        Reply(200, {**reply.body, key: f"{reply.body[key]}{ODD}"})
        if "/api/state/" in request.path
        else reply
    )
    text = written("superoffice_connect", "--check")
    assert "\x1b" not in text
    assert ("\\x1b" if key == "State" else "can be trusted") in text


@pytest.mark.parametrize("state", ["active", " ACTIVE ", 1, " 1"])
def test_a_state_is_known_however_it_is_written(superoffice, entry, state):
    superoffice.mangle = listed_with(State=state)
    assert subscribe().code == 0


@pytest.mark.parametrize("state", ["missing", "several", "unknown", "saving"])
def test_a_state_that_is_named_as_ours_is_not_taken_for_ours(superoffice, entry, state):
    superoffice.mangle = listed_with(State=state)
    assert watching.watch("default").state == state.capitalize()
    assert Run("superoffice_watch").code == 1


@pytest.mark.parametrize("name", [" Help desk ", "Help\tdesk", "\u202edesk", "x" * 400])
def test_a_name_with_odd_characters_differs_once(superoffice, hooks, live_server, name):
    hooks(WEBHOOKS={"default": webhook(superoffice, live_server, name=name)})
    assert subscribe("--apply").code == 0
    assert subscribe().code == 0


def test_properties_come_back_as_json_has_them(superoffice, hooks, live_server):
    wanted = webhook(superoffice, live_server, properties={"a": (1, 2)}, headers={"X-A": "b"})
    hooks(WEBHOOKS={"default": wanted})
    assert subscribe("--apply").code == 0
    assert subscribe().code == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"properties": {"a": {1}}}, "cannot be written as JSON"),
        ({"properties": {"a": float("nan")}}, "cannot be written as JSON"),
        ({"headers": {"X-A": "b\r\nX-B: c"}}, "no header can have"),
        ({"headers": {" ": "b"}}, "no header can have"),
        ({"url": "https://example.com/a b"}, "no address has"),
    ],
)
def test_what_could_never_be_sent_is_said_before(superoffice, hooks, live_server, changes, problem):
    hooks(WEBHOOKS={"default": webhook(superoffice, live_server, **changes)})
    with pytest.raises(configured.NotConfigured, match=problem):
        configured.wanted_of("default")


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda url: url.rstrip("/"),
        lambda url: url.replace("localhost", "LOCALHOST"),
        lambda url: url.replace("webhook", "%77ebhook"),
        lambda url: url.replace("//", "//anna:pass-word@"),
    ],
    ids=["no slash", "case", "encoded", "with a login"],
)
def test_an_address_that_is_written_otherwise_makes_no_second_webhook(
    superoffice, entry, live_server, otherwise
):
    Watch.objects.all().delete()
    entry.values["TargetUrl"] = otherwise(live_server.url + URL)
    compared = subscribe()
    assert "pass-word" not in compared.text
    assert "has no webhook" not in compared.text
    assert not watching.watch("default").is_down
    assert subscribe("--apply").code == 0
    (only,) = superoffice.entries()
    assert only.id == entry.id
    assert subscribe().code == 0


@pytest.mark.parametrize(
    "arguments", [("nosuch",), ("--apply", "nosuch"), ("a", "b", "--adopt", "1")]
)
def test_what_is_not_compared_is_not_said_to_differ(arguments):
    run = subscribe(*arguments)
    assert (run.code, "differ" in run.text) == (2, False)


@pytest.mark.parametrize("command", ["superoffice_subscribe", "superoffice_watch"])
def test_without_the_extra_nothing_is_known(command, monkeypatch):
    # It finds out as it is imported what else it can import, for the tests that come later, too.
    import_module(f"superoffice_hooks.management.commands.{command}")
    monkeypatch.setattr("superoffice_hooks.superoffice_api.is_installed", lambda: False)
    run = Run(command)
    assert (run.code, "Install the extra" in run.text) == (2, True)


@pytest.mark.parametrize("command", ["superoffice_subscribe", "superoffice_watch"])
def test_without_webhooks_nothing_is_known(command, hooks):
    hooks(WEBHOOKS={})
    assert Run(command).code == 2
