"""The pages of webhooks: what was seen at SuperOffice, what people may do, and what came of it."""

import json
import re
import time
from importlib.util import find_spec

import pytest

from superoffice_hooks.models import Event, Watch
from superoffice_hooks.testing import notification

from ..conftest import SECRET, URL
from ..wanting import played, wanting
from .conftest import EVENTS, WATCHES, logged_in
from .page import Page

if not find_spec("httpx"):
    pytest.skip("needs the extra superoffice", allow_module_level=True)

from superoffice_hooks.superoffice_api import deadline
from superoffice_hooks.testing.fake import Reply

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = f"{WATCHES}default/webhook/"
ACTIONS = ("test", "ping", "reactivate")


@pytest.fixture
def superoffice(monkeypatch):
    with played(monkeypatch) as fake:
        yield fake


@pytest.fixture
def wanted(settings, superoffice, live_server):
    """One webhook is wanted."""
    headers = {"X-Key": "the value of a header"}
    settings.SUPEROFFICE_HOOKS = {
        **settings.SUPEROFFICE_HOOKS,
        **wanting(superoffice, live_server.url + URL, name="<b>Desk</b>", headers=headers),
    }


@pytest.fixture
def subscribed(wanted, superoffice):
    """And it is there."""
    from superoffice_hooks.subscribing.applying import apply

    assert list(apply("default", who="anna on crm1"))
    return superoffice.entries()[0]


@pytest.fixture
def manager(db):
    return logged_in("mia", "view_event", "view_watch", "manage_webhooks", is_staff=True)


def do(client, words: str) -> Page:
    """Press a button, and confirm."""
    page = Page.get(client, PAGE).click(words)
    assert page.status == 200
    return page.submit("confirmed")


class TestThePage:
    def test_wanted_and_actual_stand_side_by_side(self, subscribed, manager):
        page = Page.get(manager, PAGE)
        assert page.status == 200
        assert "All is well: The webhook is active and as it is wanted." in page.text
        assert page.text.count("<b>Desk</b>") == 2
        assert "<b>Desk</b>" not in page.html
        assert "anna on crm1" in page.text
        assert "Last ping arrived" in page.text
        assert "differs" not in page.text

    def test_no_secret_is_shown(self, subscribed, manager):
        html = Page.get(manager, PAGE).html
        assert SECRET not in html
        assert "the value of a header" not in html

    def test_what_differs_is_marked(self, subscribed, superoffice, manager):
        subscribed.values["Name"] = "Somebody's"
        do(manager, "Test")
        page = Page.get(manager, PAGE)
        assert "Worth a look: SuperOffice delivers, but not as it is wanted." in page.text
        assert "Somebody's" in page.text
        assert "differs" in page.text
        changed = Page.get(manager, f"{WATCHES}{Watch.objects.latest('pk').pk}/change/")
        assert "Name: wanted <b>Desk</b>, actual Somebody's" in changed.text

    @pytest.mark.parametrize(
        ("state", "ping", "said"),
        [
            ("Stopped", "", "Somebody is needed: SuperOffice delivers nothing: somebody has"),
            ("TooManyErrors", "", "Somebody is needed: SuperOffice delivers nothing: it has ended"),
            ("missing", "", "it has no webhook for this address"),
            ("Active", "lost", "The webhook is active, but the last ping did not arrive"),
            ("several", "", "several webhooks with this address"),
            ("Paused\u202e", "", "Somebody is needed: The webhook is in the state Paused\\u202e"),
        ],
    )
    def test_each_state_has_its_sentence(self, wanted, manager, state, ping, said):
        Watch.note("default", tenant="Cust12345", state=state, ping=ping)
        assert said in Page.get(manager, PAGE).text

    def test_one_with_another_address_delivers_nothing_here(self, subscribed, manager):
        Watch.objects.update(
            differences=[["url", "https://a.example.com/", "https://b.example.com/"]]
        )
        assert "the webhook has another address" in Page.get(manager, PAGE).text

    def test_a_state_that_could_not_be_read_leaves_what_was_known(self, subscribed, manager):
        Watch.note("default", tenant="Cust12345", state="unknown", reason="The API is <i>away</i>.")
        page = Page.get(manager, PAGE)
        assert "The state of the webhook could not be read." in page.text
        assert "The API is <i>away</i>." in page.text
        assert "State active" in page.text

    def test_before_anybody_has_looked(self, wanted, manager):
        page = Page.get(manager, PAGE)
        assert "Nobody has looked at this webhook yet." in page.text

    def test_settings_that_cannot_be_used_are_said(self, subscribed, settings, manager):
        settings.SUPEROFFICE_HOOKS = {
            **settings.SUPEROFFICE_HOOKS,
            "WEBHOOKS": {"default": {"tenant": "Cust12345", "url": "http://example.com/"}},
        }
        page = Page.get(manager, PAGE)
        assert (page.status, "plain http" in page.text) == (200, True)

    def test_one_that_is_wanted_no_more_can_still_be_looked_up(self, subscribed, settings, manager):
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "WEBHOOKS": {}}
        page = Page.get(manager, PAGE)
        assert page.status == 200
        assert not {"Test", "Ping", "Activate again"} & page.links.keys()
        assert manager.get(f"{WATCHES}nobody/webhook/").status_code == 404
        assert manager.get(f"{WATCHES}%00%F0%9F/webhook/").status_code == 404
        assert manager.get(f"{WATCHES}default/test/").status_code == 404

    def test_superoffice_is_not_called(self, subscribed, superoffice, manager):
        before = len(superoffice.requests)
        for path in (PAGE, WATCHES, f"{WATCHES}default/reactivate/", f"{EVENTS}overview/"):
            assert manager.get(path).status_code == 200
        assert len(superoffice.requests) == before

    def test_the_list_leads_to_it(self, subscribed, manager):
        assert Page.get(manager, WATCHES).click("default").url == PAGE

    def test_it_takes_few_queries(self, subscribed, manager, django_assert_max_num_queries):
        for number in range(60):
            Watch.note("default", tenant="Cust12345", state=f"state {number}")
        with django_assert_max_num_queries(10):
            page = Page.get(manager, PAGE)
        assert "Only the newest 50 are shown." in page.text


class TestActing:
    def test_a_test(self, subscribed, manager):
        page = do(manager, "Test")
        assert page.url == PAGE
        assert "SuperOffice has sent a test event, and it has arrived." in page.text
        assert "mia" in page.text

    def test_a_ping(self, subscribed, manager):
        page = do(manager, "Ping")
        assert "The ping has arrived." in page.text
        assert Event.objects.filter(name="superoffice_hooks.ping").count() == 2

    def test_activated_again(self, subscribed, superoffice, manager):
        subscribed.state = "TooManyErrors"
        assert "Activate again" not in Page.get(manager, PAGE).links
        Page.get(manager, PAGE).click("Test").submit("confirmed")
        page = Page.get(manager, PAGE)
        assert "Ping" not in page.links
        page = do(manager, "Activate again")
        assert "The webhook is active again." in page.text
        assert subscribed.state == "Active"
        assert Watch.objects.filter(action="reactivated", who="mia").count() == 1

    def test_nothing_is_done_before_it_is_confirmed(self, subscribed, superoffice, manager):
        before = len(superoffice.requests)
        page = Page.get(manager, PAGE).click("Test")
        assert "Nothing is saved at SuperOffice." in page.text
        assert len(superoffice.requests) == before

    def test_what_cannot_be_done_is_said(self, subscribed, superoffice, manager):
        Watch.note("default", tenant="Cust12345", state="Stopped")
        page = do(manager, "Activate again")
        assert "The webhook is Active, so it was left as it is." in page.text

    def test_superoffice_that_is_slow_is_not_waited_for(self, subscribed, superoffice, manager):
        superoffice.fail("/v1/", times=99, seconds=4)
        started = time.monotonic()
        with deadline.within(0.5):
            page = do(manager, "Ping")
        assert time.monotonic() - started < 3
        assert "cannot be reached: no answer in time" in page.text
        assert "The state of the webhook could not be read." in page.text

    def test_superoffice_that_is_away_is_said(self, subscribed, superoffice, manager):
        refusal = Reply(403, {"ErrorType": "No", "ErrorMessage": "<i>agent</i> \u202e"})
        superoffice.fail("/v1/Webhook", times=9, reply=refusal)
        page = do(manager, "Test")
        assert "refused the call (403)" in page.text
        assert "<i>agent" not in page.html

    def test_a_wrong_sign_in_is_said(self, wanted, superoffice, manager):
        superoffice.login.is_revoked = True
        Watch.note("default", tenant="Cust12345", state="Active")
        page = do(manager, "Ping")
        assert "was revoked" in page.text

    def test_without_the_extra_there_is_no_button(self, subscribed, manager, monkeypatch):
        monkeypatch.setattr("superoffice_hooks.superoffice_api.is_installed", lambda: False)
        page = Page.get(manager, PAGE)
        assert "needs the extra superoffice" in page.text
        assert not {"Test", "Ping"} & page.links.keys()
        page = Page.get(manager, f"{WATCHES}default/test/").submit("confirmed")
        assert "needs the extra superoffice" in page.text


class TestWhoMay:
    @pytest.fixture
    def looker(self, db):
        return logged_in("vic", "view_watch", is_staff=True)

    @pytest.fixture
    def blind(self, db):
        return logged_in("ben", "manage_webhooks", is_staff=True)

    def test_who_may_only_look_has_no_button(self, subscribed, looker):
        page = Page.get(looker, PAGE)
        assert page.status == 200
        assert not {"Test", "Ping", "Activate again"} & page.links.keys()

    @pytest.mark.parametrize("action", ACTIONS)
    def test_the_server_refuses_who_may_not(
        self, subscribed, superoffice, anonymous, clerk, looker, blind, action
    ):
        before = len(superoffice.requests)
        for client in (anonymous, clerk, looker, blind):
            client.handler.enforce_csrf_checks = False
            for answer in (
                client.get(f"{WATCHES}default/{action}/"),
                client.post(f"{WATCHES}default/{action}/"),
            ):
                assert answer.status_code == 403 or "login" in answer.headers["Location"]
        assert len(superoffice.requests) == before

    @pytest.mark.parametrize("action", ACTIONS)
    def test_a_post_needs_a_csrf_token(self, subscribed, superoffice, manager, action):
        before = len(superoffice.requests)
        assert manager.post(f"{WATCHES}default/{action}/").status_code == 403
        assert len(superoffice.requests) == before

    def test_who_may_not_view_webhooks_sees_no_page(self, subscribed, clerk, blind):
        assert clerk.get(PAGE).status_code == 403
        assert blind.get(PAGE).status_code == 403


class TestTheOverview:
    URL = f"{EVENTS}overview/"

    def test_a_stopped_webhook_is_red_and_leads_to_its_page(self, subscribed, manager):
        Watch.note("default", tenant="Cust12345", webhook=subscribed.id, state="Stopped")
        page = Page.get(manager, self.URL)
        words = "SuperOffice delivers nothing to the endpoint default"
        assert "superoffice-verdict-act" in page.html
        assert page.links[words] == PAGE
        assert page.click(words).status == 200
        assert page.click("stopped").url == PAGE

    def test_one_that_delivers_says_nothing(self, subscribed, manager):
        page = Page.get(manager, self.URL)
        assert "SuperOffice delivers nothing" not in page.text
        assert page.links["active"] == PAGE

    def test_what_a_later_look_saw_counts_more_than_an_event(
        self, subscribed, superoffice, manager, post
    ):
        ended = notification(
            "webhook.errors", PrimaryKey=subscribed.id, ContextIdentifier=superoffice.tenant
        )
        post(json.dumps(ended).encode())
        words = "SuperOffice has ended 1 webhook after too many errors"
        assert words in Page.get(manager, self.URL).text
        do(manager, "Test")
        assert words not in Page.get(manager, self.URL).text

    def test_several_lead_to_the_table(self, wanted, settings, manager):
        webhooks = settings.SUPEROFFICE_HOOKS["WEBHOOKS"]
        webhooks = {**webhooks, "sales": {**webhooks["default"], "url": "https://example.com/"}}
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "WEBHOOKS": webhooks}
        for name in webhooks:
            Watch.note(name, tenant="Cust12345", state="missing")
        page = Page.get(manager, self.URL)
        words = "SuperOffice delivers nothing to the endpoints default, sales"
        assert page.links[words] == "#endpoints-heading"

    def test_who_may_not_view_webhooks_has_no_link(self, subscribed, db):
        client = logged_in("vic", "view_event", is_staff=True)
        page = Page.get(client, self.URL)
        assert "active" not in page.links
        assert not re.search(r"/watch/\w+/webhook/", page.html)
