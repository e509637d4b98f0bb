"""Another hand gives our webhook another address: it stays ours, and others do not become it."""

import pytest

from superoffice_hooks.models import Watch
from superoffice_hooks.signals import webhook_restored, webhook_stopped
from superoffice_hooks.subscribing import actions, configured, watching

from ..conftest import URL
from .conftest import EVENTS, subscribe, webhook

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hooks")]

ELSEWHERE = "https://elsewhere.example.com/hook/"


def move(entry, url: str = ELSEWHERE) -> None:
    entry.values["TargetUrl"] = url
    entry.hook.url = url


@pytest.mark.parametrize("version", ["10.2", "12.1"])
@pytest.mark.parametrize("looks", [0, 2])
def test_it_is_compared_and_put_right(superoffice, entry, live_server, looks):
    move(entry)
    for _ in range(looks):
        watching.watch("default")
    compared = subscribe()
    assert compared.code == 1
    assert f"webhook {entry.id} had the wanted address before, so it is ours" in compared.out
    assert f"url is to be {live_server.url}{URL}, and is {ELSEWHERE}" in compared.out
    applied = subscribe("--apply")
    assert applied.code == 0, applied.text
    assert "so it is ours" in applied.out
    (only,) = superoffice.entries()
    assert (only.id, only.values["TargetUrl"]) == (entry.id, live_server.url + URL)
    assert subscribe().code == 0


def test_a_copy_of_the_project_with_an_address_of_its_own_leaves_it_alone(
    superoffice, entry, hooks, live_server
):
    """The copy has the rows of the first one, its database was copied with them."""
    copied = webhook(superoffice, live_server, url=f"{live_server.url}{URL}?copy")
    hooks(WEBHOOKS={"default": copied})
    assert subscribe("--apply").code == 0
    assert [one.values["TargetUrl"] for one in superoffice.entries()] == [
        live_server.url + URL,
        f"{live_server.url}{URL}?copy",
    ]


def test_the_webhook_with_this_id_of_another_tenant_is_not_ours(superoffice, entry):
    Watch.objects.update(tenant="Cust99999")
    move(entry)
    assert "has no webhook for" in subscribe().out


def test_a_webhook_that_another_endpoint_has_now_is_left_alone(
    superoffice, entry, hooks, live_server
):
    other = f"{live_server.url}{URL}?other"
    hooks(
        WEBHOOKS={
            "default": webhook(superoffice, live_server),
            "other": webhook(superoffice, live_server, url=other),
        },
        SECRETS={"default": ["a secret of ours"], "other": ["a secret of ours"]},
    )
    move(entry, other)
    assert "has no webhook for" in subscribe("default").out
    assert f"(webhook {entry.id})" in subscribe("other").out


def test_one_that_was_never_seen_at_the_wanted_address_is_not_ours(superoffice, entry):
    Watch.objects.all().delete()
    move(entry)
    watching.watch("default")
    assert Watch.objects.of("default").first().state == "missing"
    assert "has no webhook for" in subscribe().out


def test_it_is_down_and_nothing_is_sent_elsewhere(superoffice, entry, hooks, monkeypatch):
    hooks(REACTIVATE=3)
    said = []
    stopped = lambda watch, **kwargs: said.append(("stopped", watch.state))  # noqa: E731
    restored = lambda watch, **kwargs: said.append(("restored", watch.state))  # noqa: E731
    webhook_stopped.connect(stopped)
    webhook_restored.connect(restored)
    before = len(superoffice.writes())
    move(entry)
    watch = watching.watch("default")
    assert (watch.state, watch.is_down, watch.ping) == ("Active", True, "")
    assert [key for key, *_ in watch.differences] == ["url"]
    # Who gave it another address wanted that, so it is not activated for ours.
    entry.state = "TooManyErrors"
    assert watching.watch("default").is_down
    assert len(superoffice.writes()) == before
    assert subscribe("--apply").code == 0
    assert not watching.watch("default").is_down
    assert said == [("stopped", "Active"), ("restored", "Active")]


@pytest.mark.parametrize("action", actions.ACTIONS)
def test_a_person_is_told_where_it_delivers(superoffice, entry, action):
    move(entry)
    before = len(superoffice.writes())
    with pytest.raises(configured.NotPossible, match=f"delivers to {ELSEWHERE}"):
        actions.act("default", action, who="anna")
    assert len(superoffice.writes()) == before


def test_it_gets_no_new_secret_before_it_is_put_right(superoffice, entry, hooks):
    move(entry)
    before = len(superoffice.writes())
    rotated = subscribe("--apply", "--rotate")
    assert rotated.code == 1
    assert f"delivers to {ELSEWHERE}" in rotated.err
    assert len(superoffice.writes()) == before


def test_what_is_wanted_of_its_states_names_it_still(superoffice, entry, hooks, live_server):
    states = webhook(superoffice, live_server, url=f"{live_server.url}{URL}?states", events=[])
    states["states_of"] = "default"
    hooks(WEBHOOKS={"default": webhook(superoffice, live_server, events=EVENTS), "states": states})
    hooks(SECRETS={"default": ["a secret of ours"], "states": ["a secret of ours"]})
    move(entry)
    compared = subscribe("states")
    assert "has no webhook for" in compared.out
    assert "Subscribe" not in compared.text
