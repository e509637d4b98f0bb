"""Every page of the admin: usable by everybody, on any screen, in both themes, and on paper."""

import pytest
from playwright.sync_api import expect

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
    found = []
    for theme in ("light", "dark"):
        for window, size in WINDOWS.items():
            admin.wear(theme, size)
            wrong = admin.barriers() + admin.too_wide()
            found += [f"{theme}, {window}: {barrier}" for barrier in wrong]
    admin.print_on(A4)
    found += [f"on paper: {part}" for part in admin.too_wide()]
    assert found == [], "\n@@".join(found)


def test_an_event_can_be_read_on_paper(browse, helpdesk):
    helpdesk.morning()
    admin = browse("rita").open(PLACES["event"]())
    admin.print_on(A4)
    admin.says("failed after 1 attempt")
    expect(admin.headline(ERROR)).to_be_visible()
    assert admin.tab.pdf(format="A4").startswith(b"%PDF")
