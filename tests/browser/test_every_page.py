"""Every page of the admin: usable by everybody, on any screen, in both themes, and on paper."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from superoffice_hooks.models import Replay

from ..admin.conftest import REPLAYS
from .conftest import DESKTOP, PHONE
from .helpdesk import ERROR
from .places import PLACES

pytestmark = pytest.mark.slow

WINDOWS = {"desktop": DESKTOP, "phone": PHONE}
A4 = {"width": 794, "height": 1123}


@pytest.mark.parametrize("place", PLACES)
def test_the_page_has_no_barriers_and_fits(browse, helpdesk, place):
    helpdesk.morning()
    # What looks for barriers puts styles into the page.
    admin = browse("rita", bypass_csp=True).open(PLACES[place]())
    found = admin.nameless_tables()
    for theme in ("light", "dark"):
        for window, size in WINDOWS.items():
            admin.wear(theme, size)
            wrong = admin.barriers() + admin.too_wide()
            found += [f"{theme}, {window}: {barrier}" for barrier in wrong]
    admin.print_on(A4)
    found += [f"on paper: {part}" for part in admin.too_wide() + admin.wasted_ink()]
    assert found == [], "\n@@".join(found)


OUTSIDE = """elements => elements
    .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map(element => element.outerHTML)"""


def test_on_a_phone_the_numbers_of_a_replay_are_seen_before_it_begins(browse, helpdesk):
    helpdesk.morning()
    admin = browse("rita", viewport=PHONE).open(PLACES["replay"]())
    numbers = admin.tab.locator(".superoffice-number")
    assert numbers.count() >= 4
    assert numbers.evaluate_all(OUTSIDE) == []


def test_a_state_that_is_a_sentence_breaks_on_a_phone(browse):
    stalled = Replay.objects.create(
        who="anna",
        reason="The queues are back.",
        claim=1,
        claimed_by="a-host-with-a-long-name.example.com pid 47110815",
        claimed_until=timezone.now() - timedelta(hours=1),
    )
    admin = browse("rita", viewport=PHONE)
    for page in ("progress", "change"):
        admin.open(f"{REPLAYS}{stalled.pk}/{page}/")
        admin.says("does not carry it on any more")
        assert admin.tab.locator(".superoffice-status").evaluate_all(OUTSIDE) == []
        assert admin.too_wide() == []


@pytest.mark.parametrize("place", ["replay done", "failure group"])
def test_of_several_values_on_one_line_each_stands_beside_its_own_name(browse, helpdesk, place):
    helpdesk.morning()
    admin = browse("rita").open(PLACES[place]())
    gaps = admin.tab.locator(".form-multiline > div + div").evaluate_all(
        """boxes => boxes.map(box => box.querySelector(".readonly").getBoundingClientRect().left
            - box.querySelector("label").getBoundingClientRect().left)"""
    )
    assert gaps
    assert max(gaps) < 130


def test_an_event_can_be_read_on_paper(browse, helpdesk):
    helpdesk.morning()
    admin = browse("rita").open(PLACES["event"]())
    admin.print_on(A4)
    admin.says("failed after 1 attempt")
    expect(admin.headline(ERROR)).to_be_visible()
    assert admin.tab.pdf(format="A4").startswith(b"%PDF")
