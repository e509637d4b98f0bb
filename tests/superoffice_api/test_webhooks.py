"""Webhooks and rows as every version of the API shows them, and answers that nobody documents."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from superoffice_hooks.superoffice_api import about, archives
from superoffice_hooks.superoffice_api.errors import ApiError, NotRead, Refused
from superoffice_hooks.superoffice_api.redacting import Secret
from superoffice_hooks.superoffice_api.webhooks import Webhooks, read
from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply

from ..answering import answering
from .conftest import client_of

VERSIONS = ("10.2", "11.13", "12.0", "12.1")
NEW, OLD = Secret("the newest secret of the desk"), Secret("the older secret of the desk")


def values(url: str, **changes) -> dict[str, object]:
    return {
        "Name": "Desk",
        "Events": ["ticket.created", "ticket.changed"],
        "TargetUrl": url,
        "Secret": NEW,
        "State": "Active",
        "Type": "webhook",
        "ErrorEmails": ["anna@example.com", "bo@example.com"],
        **changes,
    }


@pytest.fixture(params=VERSIONS)
def versioned(request):
    with FakeSuperOffice(request.param) as fake:
        yield fake


def test_a_webhook_is_made_listed_changed_and_deleted(versioned):
    with client_of(versioned) as client, answering(200) as server:
        webhooks = Webhooks(client, [NEW, OLD])
        made = webhooks.create(values(server.url, Headers={"X-A": "1"}, Properties={"b": 2}))
        assert made == webhooks.get(made.id) == webhooks.all()[0]
        assert (made.name, made.state, made.url) == ("Desk", "Active", server.url)
        assert made.events == ("ticket.created", "ticket.changed")
        assert made.error_emails == ("anna@example.com", "bo@example.com")
        assert (made.headers, made.properties) == ({"X-A": "1"}, {"b": 2})
        assert made.secret_number == 0
        changed = webhooks.change(made.id, {"Name": "Front desk", "Secret": OLD})
        assert (changed.name, changed.secret_number) == ("Front desk", 1)
        # What was not to change, and what nobody documents, is as it was.
        assert (changed.events, changed.headers) == (made.events, made.headers)
        webhooks.delete(made.id)
        assert webhooks.all() == []


def test_a_masked_secret_is_unknown_and_never_written_back():
    with (
        FakeSuperOffice(masks_secret=True) as fake,
        client_of(fake) as client,
        answering(200) as server,
    ):
        webhooks = Webhooks(client, [NEW])
        made = webhooks.create(values(server.url))
        assert made.secret_number is None
        webhooks.change(made.id, {"Name": "Other", "Secret": NEW})
        assert fake.entries()[0].hook.secret == NEW.reveal()
        webhooks.change(made.id, {"Name": "Without"})
        assert "*" not in fake.entries()[0].hook.secret


def test_a_secret_of_somebody_else_is_known_to_be_another(superoffice, client):
    with answering(200) as server:
        made = Webhooks(client).create(values(server.url))
    assert made.secret_number == -1


def test_a_save_is_refused_if_the_test_event_is_not_answered_with_200(superoffice, client):
    with answering(401) as server, pytest.raises(Refused, match="Webhook test failed: 401"):
        Webhooks(client).create(values(server.url))
    assert superoffice.entries() == []
    assert len(superoffice.writes()) == 1


def test_a_test_says_whether_it_was_answered_with_200(superoffice, client):
    with answering(200, 500) as server:
        assert Webhooks(client).test(values(server.url)).succeeded
        tested = Webhooks(client).test(values(server.url))
    assert (tested.succeeded, tested.message) == (False, "HTTP/1.1 500")


def test_a_signal_reaches_every_webhook_that_lists_the_name(superoffice, client):
    with answering(200) as server:
        Webhooks(client).create(values(server.url, Events=["superoffice_hooks.ping"]))
        Webhooks(client).signal("superoffice_hooks.ping", 4711)
    payload = server.requests[-1].payload
    assert (payload["Event"], payload["PrimaryKey"]) == ("superoffice_hooks.ping", 4711)


def test_webhooks_of_another_application_are_not_seen(superoffice, client):
    with answering(200) as server:
        superoffice.webhooks.save({**values(server.url), "Secret": "x"}, "another application")
        assert Webhooks(client).all() == []
        with pytest.raises(Refused, match="404"):
            Webhooks(client).get(superoffice.entries()[0].id)


@pytest.mark.parametrize("counts", ["attempts", "events"])
@pytest.mark.parametrize("version", VERSIONS)
def test_counters_are_read_where_the_version_has_them(version, counts):
    with (
        FakeSuperOffice(version, counts=counts) as fake,
        client_of(fake) as client,
        answering(200, 500) as server,
    ):
        webhooks = Webhooks(client)
        made = webhooks.create(values(server.url))
        fake.send("ticket.changed")
        counters = about.counters_of(client, webhooks.get(made.id), about.version_of(client))
        assert (counters.total_calls, counters.total_errors) == (3, 3)
        assert counters.consecutive_errors == (3 if counts == "attempts" else 1)
        assert counters.last_error == "HTTP/1.1 500"
        assert webhooks.last_error(made.id) == "HTTP/1.1 500"


def test_counters_that_cannot_be_read_say_nothing(superoffice):
    with FakeSuperOffice("10.2") as fake, client_of(fake) as client, answering(200) as server:
        made = Webhooks(client).create(values(server.url))
        fake.api.unreadable.add("webhook_usage")
        assert about.counters_of(client, made, "10.2").total_calls is None


@pytest.mark.parametrize("counts", ["attempts", "events"])
def test_nine_failures_end_a_webhook_and_its_state_event_says_so(counts):
    with (
        FakeSuperOffice(counts=counts) as fake,
        client_of(fake) as client,
        answering(200, 500) as server,
        answering(200) as watcher,
    ):
        made = Webhooks(client).create(values(server.url))
        states = [f"webhook{made.id}.errors"]
        Webhooks(client).create(values(watcher.url, Events=states, Name="States"))
        for _ in range(3 if counts == "attempts" else 9):
            assert fake.entries()[0].state == "Active"
            fake.send("ticket.changed")
        assert Webhooks(client).get(made.id).state == "TooManyErrors"
        assert watcher.requests[-1].payload["Event"] == "webhook.errors"


def test_410_ends_a_webhook_at_once(superoffice, client):
    with answering(200, 410) as server:
        made = Webhooks(client).create(values(server.url))
        superoffice.send("ticket.changed")
    assert Webhooks(client).get(made.id).state == "TooManyErrors"


@pytest.mark.parametrize(("version", "left"), [("12.0", "TooManyErrors"), ("12.1", "Active")])
def test_re_activation_zeroes_the_counter_since_12_1(version, left):
    with FakeSuperOffice(version, delays=(0,)) as fake, client_of(fake) as client:
        with answering(200, *[500] * 9, 200, 500) as server:
            made = Webhooks(client).create(values(server.url))
            for _ in range(9):
                fake.send("ticket.changed")
            Webhooks(client).change(made.id, {"State": "Active", "Secret": NEW})
            fake.send("ticket.changed")
        assert Webhooks(client).get(made.id).state == left


@pytest.mark.parametrize("events", [["ticket.*"], ["x" * 4001], []])
def test_patterns_and_too_many_names_are_refused(superoffice, client, events):
    with answering(200) as server, pytest.raises(Refused):
        Webhooks(client).create(values(server.url, Events=events))


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ({"WebhookId": "17", "State": 3}, (17, "TooManyErrors")),
        ({"WebhookId": 17, "State": "2"}, (17, "Stopped")),
        ({"WebhookId": 17, "State": "Paused", "New": {}}, (17, "Paused")),
        ({"WebhookId": 17, "State": "Active", "Events": "a.b, c.d"}, (17, "Active")),
    ],
)
def test_numbers_as_text_and_unknown_names_are_kept(client, entity, expected):
    webhook = read({"Events": ["a.b"], "TargetUrl": "https://x/", **entity}, client)
    assert (webhook.id, webhook.state) == expected


@pytest.mark.parametrize(
    "entity",
    [
        None,
        [],
        {},
        {"WebhookId": 17, "State": None},
        {"WebhookId": 17, "State": True},
        {"WebhookId": None, "State": "Active"},
        {"WebhookId": "9" * 30, "State": "Active"},
        {"WebhookId": 17, "State": "Active", "Events": None},
        {"WebhookId": 17, "State": "Active", "Events": [1]},
        {"WebhookId": 17, "State": "Active", "TargetUrl": None},
    ],
)
def test_a_webhook_without_what_matters_is_not_believed(client, entity):
    if isinstance(entity, dict):
        entity = {"Events": ["a.b"], "TargetUrl": "https://x/", **entity}
    with pytest.raises(NotRead):
        read(entity, client)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "WebhookId",
    "Name",
    "Events",
    "TargetUrl",
    "Secret",
    "State",
    "Type",
    "Headers",
    "Properties",
    "ErrorEmails",
    "ErrorsEmail",
    "TotalCalls",
    "ConsecutiveErrors",
    "LastError",
)
ENTITIES = st.dictionaries(st.sampled_from(KEYS), JSON)
ANSWERS = st.one_of(
    JSON.map(lambda said: Reply(200, said)),
    st.lists(ENTITIES, max_size=2).map(lambda said: Reply(200, said)),
    ENTITIES.map(lambda said: Reply(200, said)),
    st.binary(max_size=50).map(lambda said: Reply(200, said)),
    st.sampled_from([204, 400, 403, 404, 409, 412, 418, 500, 501]).map(
        lambda status: Reply(status, b"<html>")
    ),
)


@given(answer=ANSWERS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_answered_is_read_or_said_not_to_be(superoffice, client, answer):
    superoffice.requests.clear()
    superoffice.mangle = lambda request, reply: answer if "/v1/" in request.path else reply
    webhooks = Webhooks(client, [NEW])
    for act in (
        webhooks.all,
        lambda: webhooks.get(17),
        lambda: webhooks.test({}),
        lambda: webhooks.create({"Secret": NEW}),
        lambda: webhooks.change(17, {"Secret": NEW}),
        lambda: webhooks.last_error(17),
        lambda: about.principal_of(client),
        lambda: about.base_time_zone(client),
        lambda: archives.rows(client, "dynamic", ["a.b"]),
        lambda: list(archives.pages(client, "a.b", []))[:1],
    ):
        assert said_by(act).isprintable()


def said_by(act) -> str:
    """The sentence for an administrator, if the answer could not be used."""
    try:
        act()
    except ApiError as error:
        return str(error)
    return ""


def test_a_tenant_says_who_we_are_and_where(superoffice, client):
    assert about.version_of(client) == "12.1.721.0"
    assert about.principal_of(client) == about.Principal("hooks@example.com", 42)
    assert about.base_time_zone(client) == "NO (UTC+01:00) Oslo"


@pytest.mark.parametrize(
    ("version", "expected"), [("11.13.1", True), ("12.0", True), ("11.9.9", False), ("", False)]
)
def test_versions_are_compared_as_numbers(version, expected):
    assert about.is_at_least(version, 11, 13) is expected
