"""The weekend of the example project, as people meet it on Monday morning, click by click."""

import re

import pytest
from playwright.sync_api import Locator, expect

from superoffice_hooks.models import Event, FailureGroup, Replay
from superoffice_hooks.reports.windows import Window

from ..admin.conftest import EVENTS
from .helpdesk import TICKET

pytestmark = pytest.mark.slow

OVERVIEW = f"{EVENTS}overview/"
RECEIVERS = "example_project.desk.receivers"
ON_A_PAGE = 100
"""Rows of a list; TEST_WEEKEND_EVENTS may ask for more events than the usual 1000."""
SIZES = [(390, 740), (1280, 800), (1440, 900)]


class Clicks:
    """Counts the clicks of a person."""

    def __init__(self, admin) -> None:
        self.admin = admin
        self.count = 0

    def link(self, words: str) -> None:
        self.on(self.admin.link(words))

    def on(self, goal: Locator) -> None:
        self.count += 1
        goal.click()


def test_the_verdict_names_everything_that_went_wrong(browse, weekend):
    said = browse("rita").open(OVERVIEW).tab.get_by_role("status")
    for words in (
        "Somebody is needed: nobody dispatches; ",
        " events are overdue; ",
        "SuperOffice has ended 1 webhook after too many errors; ",
        " events have failed of 3 causes; ",
        "1 replay is stalled; ",
        "unusually silent: partner.",
    ):
        expect(said).to_contain_text(words)


def test_what_failed_since_friday_by_cause(browse, weekend):
    admin = browse("rita").open(OVERVIEW)
    person = Clicks(admin)
    person.link("Since Friday 18:00")
    causes = admin.tab.locator("section", has=admin.tab.get_by_role("heading", name="by cause"))
    expect(causes.locator("tbody tr")).to_have_count(3)
    expect(causes).to_contain_text("TimeoutError: The notice board has not answered")
    assert person.count <= 2
    # Each number leads to as many events.
    for row in range(3):
        number = causes.locator("tbody tr").nth(row).get_by_role("link").nth(1)
        count = int(number.inner_text())
        number.click()
        expect(admin.rows()).to_have_count(min(count, ON_A_PAGE))
        admin.tab.go_back()


def test_each_part_of_the_verdict_leads_to_as_many_rows(browse, weekend):
    admin = browse("rita").open(OVERVIEW)
    for words in (" failed of ", " overdue", "SuperOffice has ended", "stalled"):
        link = admin.tab.get_by_role("status").get_by_role("link").filter(has_text=words)
        rows = int(re.findall(r"\d+", link.inner_text())[0])
        assert rows > 0
        link.click()
        expect(admin.rows()).to_have_count(min(rows, ON_A_PAGE))
        admin.tab.go_back()
    failed = Event.objects.filter(status="failed").count()
    expect(admin.tab.get_by_role("status")).to_contain_text(f"{failed} events have failed of ")


def test_the_p95_of_each_receiver(browse, weekend):
    admin = browse("vera").open(OVERVIEW)
    person = Clicks(admin)
    person.link("Receivers")
    rows = admin.tab.get_by_role("row")
    for name, connected in (("note_priority", "fields: priority"), ("follow_ticket", "ticket")):
        row = rows.filter(has_text=f"{RECEIVERS}.{name}")
        expect(row).to_contain_text(connected)
        expect(row.locator("[data-label=p95]")).to_contain_text("s")
    assert person.count <= 1


def test_what_a_receiver_failed_is_replayed_newest_of_each_record(browse, weekend):
    receiver = f"{RECEIVERS}.note_priority"
    admin = browse("rita").open(f"{EVENTS}receivers/?window=friday")
    person = Clicks(admin)
    row = admin.tab.get_by_role("row").filter(has_text=receiver)
    number = row.locator("[data-label='Still failed']").get_by_role("link").first.inner_text()
    failed = Event.objects.filter(
        runs__receiver=receiver, runs__counts_in_group=True, received_at__gte=friday()
    )
    records = failed.values("tenant", "entity", "primary_key").distinct().count()
    assert int(number) == failed.count()
    person.on(row.get_by_role("link", name="Replay"))
    admin.says(f"Replay {number} events")
    preview = admin.tab.locator("#superoffice-preview")
    # Nobody is called who has succeeded.
    expect(preview).to_contain_text(f"This replay makes {number} calls.")
    expect(admin.tab.get_by_label(receiver)).to_be_checked()
    person.on(admin.tab.get_by_label("Only the newest event of each record"))
    expect(preview).to_contain_text(f"This replay makes {records} calls.")
    admin.give_reason("The notice board is back.")
    form = admin.tab.url
    person.on(admin.button("Replay"))
    # A few are replayed at once, and of many the progress is shown.
    admin.tab.wait_for_url(lambda url: url != form)
    replay = Replay.objects.latest("pk")
    assert (replay.planned, replay.receivers) == (int(number), [receiver])
    assert (replay.only_failed, replay.only_newest) == (True, True)
    assert person.count <= 5


def friday():
    return Window.named("friday").since


def test_an_event_is_copied_as_curl(browse, weekend):
    event = Event.objects.filter(primary_key=TICKET).latest("pk")
    admin = browse("rita", permissions=["clipboard-read", "clipboard-write"])
    admin.open(f"{EVENTS}{event.pk}/change/")
    person = Clicks(admin)
    person.link("Copy")
    person.on(admin.button("Copy as curl"))
    expect(admin.tab.get_by_role("status")).to_contain_text("Copied")
    copied = admin.tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl ")
    assert str(event.event_id) in copied
    assert person.count <= 2


@pytest.mark.parametrize("page", ["overview", "receivers", "traffic"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_and_nothing_is_a_barrier(browse, weekend, page, theme):
    FailureGroup.objects.filter(receiver__endswith="follow_ticket").update(error="x" * 400)
    # What looks for barriers puts styles into the page.
    admin = browse("rita", bypass_csp=True).open(f"{EVENTS}{page}/?window=friday")
    for width, height in SIZES:
        admin.wear(theme, {"width": width, "height": height})
        assert admin.too_wide() == []
        assert hidden_columns(admin) == []
        assert admin.barriers() == []


def hidden_columns(admin) -> list[str]:
    """The cells of tables that are beyond the edge of the window."""
    cut: list[str] = admin.tab.evaluate(
        """() => [...document.querySelectorAll(".superoffice-table td, .superoffice-table th")]
            .filter(cell => cell.offsetParent && !cell.closest("thead"))
            .filter(cell => cell.getBoundingClientRect().right > innerWidth)
            .map(cell => cell.innerText)"""
    )
    return cut
