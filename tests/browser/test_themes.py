"""The pages in another look of the admin: TEST_THEME names the package (`nox -s themes`)."""

import pytest
from django.conf import settings

from .conftest import IMAGES
from .places import PLACES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not settings.THEME, reason="TEST_THEME is not set: `nox -s themes`"),
]

BUTTONS = {
    "events": ["Overview"],
    "event": ["Replay", "Replay what failed", "Mark as handled"],
    "replay": ["Replay"],
    "mark as handled": ["Mark as handled"],
    "replay under way": ["Cancel the replay"],
    "replay done": ["The events that meet the criteria now"],
    "rejection unreadable": ["Parse again"],
    "failure group": ["Replay these events", "Mark as handled", "Mute", "Resolve"],
    "mute": ["Mute"],
    "receivers": ["Since Friday 18:00"],
}
"""What can be done on a page, besides what the theme itself offers."""


@pytest.mark.parametrize("place", PLACES)
def test_the_page_can_be_used(browse, helpdesk, place, tmp_path):
    helpdesk.morning()
    admin = browse("rita").open(PLACES[place]())
    if IMAGES:
        admin.tab.screenshot(path=f"{IMAGES}/{settings.THEME}-{place}.png", full_page=True)
    found = []
    for words in BUTTONS.get(place, ()):
        button = admin.link(words).or_(admin.button(words)).first
        if not button.is_visible():
            found.append(f"{words} is not there")
    title = admin.tab.title().partition(" | ")[0]
    # The title of a list, and of a row, is the theme's own matter.
    is_ours = admin.tab.locator("[class*=change-list], [class*=change-form]").count() == 0
    shown = admin.tab.locator("body").get_by_text(title).locator("visible=true").count()
    if is_ours and not shown:
        found.append(f"the page does not show its title, {title}")
    found += admin.tab.evaluate(INDISTINCT)
    found += [complaint for complaint in admin.complaints if complaint.startswith("500 for")]
    # What else the theme complains of is its own.
    admin.complaints.clear()
    assert found == []


INDISTINCT = """() => {
    const found = [];
    const ground = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (!/, 0\\)|transparent/.test(colour)) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const light = colour => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255);
        const linear = parts.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const contrast = (one, other) => {
        const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
        return (bright + 0.05) / (dark + 0.05);
    };
    for (const element of document.querySelectorAll(
        "[class*=superoffice-] a, a[class*=superoffice-], .superoffice-status, .superoffice-code,"
        + " .superoffice-warning, .superoffice-summary"
    )) {
        const ratio = contrast(getComputedStyle(element).color, ground(element));
        if (ratio < 3) found.push(`${ratio.toFixed(2)}: ${element.outerHTML.slice(0, 120)}`);
    }
    const fills = [...document.querySelectorAll(".superoffice-legend [class*=superoffice-part]")]
        .map(part => getComputedStyle(part).fill + getComputedStyle(part).fillOpacity);
    if (new Set(fills).size < fills.length) found.push(`parts look the same: ${fills}`);
    return found;
}"""
