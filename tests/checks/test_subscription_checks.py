"""Each mistake in the settings for the webhook at SuperOffice is found, and no secret is shown."""

from importlib.util import find_spec
from unittest import mock

import pytest
from django.test import override_settings

from superoffice_hooks import conf, superoffice_api
from superoffice_hooks.checks import check_settings
from superoffice_hooks.subscribing import configured
from superoffice_hooks.wire.event_names import EVENT_NAMES, PING

LONG = "a secret of sixteen characters or more"
CONNECTION = {
    "host": "https://online.superoffice.com",
    "client_secret": "the client secret",
    "system_user_token": "App-token",
    "private_key": "/etc/key.xml",
}
WEBHOOK = {
    "tenant": "Cust12345",
    "url": "https://example.com/superoffice/webhook/",
    "events": ["ticket.*"],
}
SOUND = {
    "SECRETS": [LONG],
    "CONNECTIONS": {"Cust12345": CONNECTION},
    "WEBHOOKS": {"default": WEBHOOK},
}
needs_the_extra = pytest.mark.skipif(not find_spec("httpx"), reason="needs the extra superoffice")


def connection_of(tenant: str) -> dict[str, str] | None:
    return CONNECTION if tenant == "Cust12345" else None


def fails(tenant: str) -> None:
    raise ConnectionError(f"the client secret of {tenant}")


def messages(**changes):
    with override_settings(SUPEROFFICE_HOOKS={**SOUND, **changes}):
        found = check_settings()
    for message in found:
        assert "the client secret" not in f"{message}"
    return [message for message in found if message.id != "superoffice_hooks.E043"]


def ids(**changes):
    return [message.id.removeprefix("superoffice_hooks.") for message in messages(**changes)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"CONNECTIONS": connection_of},
        {"CONNECTIONS": "tests.checks.test_subscription_checks.connection_of"},
        {"API_RATE": 0.5, "REACTIVATE": 3, "WATCH_EVERY": 60},
        {"WEBHOOKS": {"default": {**WEBHOOK, "events": ["foo.bar"], "error_emails": ["a@b.c"]}}},
        {"WEBHOOKS": {"default": {**WEBHOOK, "url": "http://127.0.0.1:8000/hook/"}}},
    ],
)
def test_what_makes_sense_is_passed(changes):
    assert ids(**changes) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"API_RATE": 0},
        {"API_RATE": "5"},
        {"API_RATE": True},
        {"REACTIVATE": True},
        {"REACTIVATE": -1},
        {"WATCH_EVERY": 1},
        {"WATCH_EVERY": "60"},
    ],
)
def test_numbers_that_are_none(changes):
    assert ids(**changes) == ["E006"]


@pytest.mark.parametrize(
    "connections",
    [
        {"Cust12345": {**CONNECTION, "host": "http://online.superoffice.com"}},
        {"Cust12345": {**CONNECTION, "client_secret": ""}},
        {"Cust12345": {**CONNECTION, "verify": False}},
        {"Cust12345": None},
        "nowhere.to.be.found",
        7,
    ],
)
def test_connections_that_cannot_be(connections):
    assert "E040" in ids(CONNECTIONS=connections)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": "http://example.com/superoffice/webhook/"}, "plain http"),
        ({"url": ""}, "no 'url'"),
        ({"tenant": "Cust99999"}, "CONNECTIONS does not have"),
        ({"events": []}, "no 'events'"),
        ({"events": "ticket.*"}, "no list of names"),
        ({"events": ["list.*"]}, "stands for no documented event name"),
        ({"events": ["a,b"]}, "comma"),
        ({"events": [f"custom.{n:030}" for n in range(200)]}, "longer than 4000"),
        ({"evnts": []}, "unknown key 'evnts'"),
        ({"headers": {"X-A": 1}}, "no dict of texts"),
        ({"properties": []}, "'properties'"),
        ({"error_emails": ["nobody"]}, "no list of addresses"),
        ({"ping": "no"}, "'ping'"),
        ({"name": ""}, "'name'"),
        ({"states_of": "default"}, "'states_of'"),
        ({"states_of": "sales"}, "WEBHOOKS does not have"),
    ],
)
def test_webhooks_that_cannot_be(changes, told):
    (message,) = messages(WEBHOOKS={"default": {**WEBHOOK, **changes}})
    assert message.id == "superoffice_hooks.E041"
    assert told in message.msg


@pytest.mark.parametrize("url", [WEBHOOK["url"], "https://EXAMPLE.com/superoffice/webhook"])
def test_two_endpoints_with_one_address(url):
    """Each --apply would make the one webhook that of the other endpoint."""
    webhooks = {"default": WEBHOOK, "sales": {**WEBHOOK, "url": url}}
    (message,) = messages(SECRETS={"default": LONG, "sales": LONG}, WEBHOOKS=webhooks)
    assert message.id == "superoffice_hooks.E041"
    assert "one 'url' for both 'default' and 'sales'" in message.msg


@pytest.mark.parametrize("webhooks", [[], {"default": None}])
def test_webhooks_that_are_no_dict(webhooks):
    assert set(ids(WEBHOOKS=webhooks)) <= {"E041"}


def test_a_webhook_whose_endpoint_has_no_secret():
    assert ids(WEBHOOKS={"sales": WEBHOOK}) == ["E042"]


def test_secrets_of_a_callable_are_not_asked_for():
    path = "tests.checks.test_checks.secrets_of"
    assert ids(SECRETS=path, WEBHOOKS={"sales": WEBHOOK}) == []


@needs_the_extra
def test_the_extra_that_is_missing():
    with override_settings(SUPEROFFICE_HOOKS=SOUND):
        assert check_settings() == []
        with mock.patch.object(superoffice_api, "is_installed", return_value=False):
            (message,) = check_settings()
    assert message.id == "superoffice_hooks.E043"
    assert "django-superoffice-hooks[superoffice]" in message.hint


def test_without_any_of_it_nothing_is_said():
    assert ids(CONNECTIONS={}, WEBHOOKS={}) == []


@override_settings(SUPEROFFICE_HOOKS={**SOUND, "CONNECTIONS": fails})
def test_a_callable_that_fails_shows_nothing():
    with pytest.raises(configured.NotConfigured) as error:
        configured.connection_of("Cust12345")
    assert "ConnectionError" in str(error.value)
    assert "secret" not in str(error.value)


@override_settings(SUPEROFFICE_HOOKS={**SOUND, "WEBHOOKS": {"default": WEBHOOK}})
def test_patterns_become_names_and_the_ping_is_one_of_them():
    assert configured.wanted_of("default").all_events() == (
        "ticket.created",
        "ticket.changed",
        PING,
    )


def test_all_documented_names_fit():
    webhooks = {"default": {**WEBHOOK, "events": ["*"]}}
    with override_settings(SUPEROFFICE_HOOKS={**SOUND, "WEBHOOKS": webhooks}):
        assert configured.wanted_of("default").events == EVENT_NAMES


def test_a_webhook_for_states_comes_after_the_one_it_watches():
    states = {"tenant": "Cust12345", "url": "https://example.com/states/", "states_of": "default"}
    with override_settings(
        SUPEROFFICE_HOOKS={**SOUND, "WEBHOOKS": {"a_states": states, "default": WEBHOOK}}
    ):
        assert configured.endpoints() == ["default", "a_states"]
        assert "webhook17.errors" in configured.wanted_of("a_states").all_events(17)


def test_no_repr_of_the_settings_shows_secrets():
    with override_settings(SUPEROFFICE_HOOKS=SOUND):
        shown = repr(conf.current()) + repr(configured.connection_of("Cust12345"))
    assert "the client secret" not in shown
    assert "App-token" not in shown
