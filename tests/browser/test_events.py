"""The list of events and the page of one: how many clicks it takes, and what fits in a window."""

import re

import pytest
from playwright.sync_api import Locator, expect

from superoffice_hooks.models import Event, FailureGroup, Replay
from superoffice_hooks.testing import notification
from superoffice_hooks.wire.signature import sign

from ..admin.conftest import EVENTS, GROUPS, REJECTIONS, REPLAYS
from ..conftest import SECRET
from .helpdesk import ERROR, TICKET
from .pages import Admin
from .places import PLACES

pytestmark = pytest.mark.slow

WINDOWS = {
    "1280": {"width": 1280, "height": 800},
    "1440": {"width": 1440, "height": 900},
    "390": {"width": 390, "height": 844},
}
LONG = "x" * 90
TAGS = ("th", "td", "p", "pre", "a", "summary", "button", "h1", "h2")
PARTS = ", ".join(f"#content {tag}" for tag in TAGS)
BEYOND = """parts => [...document.querySelectorAll(parts)]
    .filter(element => element.checkVisibility())
    .map(element => {
        const page = document.documentElement.clientWidth;
        const list = element.closest(".results")?.getBoundingClientRect().right ?? page;
        return [element.getBoundingClientRect(), Math.min(page, list), element];
    })
    .filter(([box, edge]) => box.right > edge + 1 || box.left < 0)
    .map(([box, edge, element]) => `${box.right} > ${edge}: ${element.outerHTML.slice(0, 150)}`)
    .slice(0, 5)"""


class Clicks:
    """A hand on the mouse."""

    def __init__(self) -> None:
        self.number = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.number += 1


class TestTicket:
    """Why did ticket 527331 not arrive? From the list of events on."""

    def test_it_is_found_and_put_right_within_five_clicks(self, browse, weekend):
        admin, hand = browse("rita").open(EVENTS), Clicks()
        search = admin.tab.locator("#searchbar")
        search.fill(f"#{TICKET}")
        search.press("Enter")
        admin.tab.wait_for_url(re.compile("q="))
        failed = admin.rows().filter(has_text="failed").first
        expect(failed).to_contain_text("note_priority")
        hand.click(failed.get_by_role("link").first)
        expect(admin.tab.get_by_role("heading", level=1)).to_contain_text(f"ticket {TICKET}")
        expect(admin.headline("board")).to_be_visible()
        hand.click(admin.link("Replay what failed"))
        admin.give_reason("The notice board is back.")
        hand.click(admin.button("Replay"))
        admin.says("1 event replayed: 1 succeeded, 0 failed.")
        assert hand.number <= 5

    def test_it_is_copied_as_curl_within_two_clicks(self, browse, helpdesk):
        helpdesk.ticket_goes_wrong()
        event = Event.objects.get(primary_key=TICKET)
        admin = browse("rita", permissions=["clipboard-read", "clipboard-write"])
        admin.open(f"{EVENTS}{event.pk}/change/")
        hand = Clicks()
        hand.click(admin.link("Copy"))
        hand.click(admin.button("Copy as curl"))
        expect(admin.tab.get_by_role("status")).to_contain_text("Copied")
        copied = admin.tab.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("curl ")
        assert sign(bytes(event.body), SECRET) in copied
        assert hand.number <= 2

    def test_without_javascript_the_texts_can_be_selected(self, browse, helpdesk):
        helpdesk.ticket_goes_wrong()
        event = Event.objects.get(primary_key=TICKET)
        admin = browse("rita", java_script_enabled=False)
        admin.open(f"{EVENTS}{event.pk}/copy/")
        expect(admin.button("Copy as curl")).to_have_count(0)
        expect(admin.tab.locator("#curl-text")).to_be_visible()


def unfold(admin: Admin) -> None:
    admin.tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")


@pytest.fixture
def long_names(helpdesk, deliver) -> Event:
    """An event in which everything is as long as it can be."""
    helpdesk.morning()
    names = [f"{LONG}{number}" for number in range(30)]
    values = dict.fromkeys(names, "v" * 3000)
    for _ in range(2):
        sent = notification(
            f"{LONG}.changed", ContextIdentifier=LONG, WebhookName=LONG * 2, Changes=names,
            FieldValues=values,
        )  # fmt: skip
        deliver(sent)
    event = Event.objects.latest("pk")
    run = Event.objects.filter(status="failed").latest("pk").runs.latest("pk")
    run.pk, run.event, run.receiver, run.outcome = None, event, f"{LONG}.{LONG}", "failed"
    run.succeeded_in, run.error, run.traceback = None, f"{ERROR}{LONG * 4}", LONG * 20
    run.save()
    FailureGroup.objects.update(receiver=f"{LONG}.{LONG}", error=f"{ERROR}{LONG * 4}")
    Replay.objects.create(who=LONG, reason=LONG * 4, claim=1, claimed_by=LONG, planned=190_000)
    Event.objects.filter(pk=event.pk).update(status="failed")
    return event


@pytest.mark.parametrize("window", WINDOWS)
def test_no_column_is_beyond_the_window(browse, long_names, window):
    admin = browse("rita", viewport=WINDOWS[window])
    found = []
    lists = (EVENTS, GROUPS, REPLAYS, REJECTIONS, PLACES["webhooks"]())
    of_event = (f"{EVENTS}{long_names.pk}/change/", f"{EVENTS}{long_names.pk}/copy/")
    for page in (*lists, *of_event):
        admin.open(page)
        if window != "390":
            expect(admin.tab.locator("#nav-sidebar")).to_be_visible()
        for look in (lambda admin: None, unfold):
            look(admin)
            found += [
                f"{page}: {part}" for part in admin.tab.evaluate(BEYOND, PARTS) + admin.too_wide()
            ]
    assert found == []


def test_on_a_phone_each_event_is_a_card(browse, long_names):
    admin = browse("rita", viewport=WINDOWS["390"]).open(EVENTS)
    for row in admin.rows().all()[:5]:
        status = row.locator(".field-status_word").bounding_box()
        failure = row.locator(".field-failure").bounding_box()
        record = row.locator(".field-record").bounding_box()
        assert status
        assert record
        assert record["y"] > status["y"]
        assert failure is None or failure["y"] > record["y"]
