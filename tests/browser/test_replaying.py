"""A receiver was down: what it failed is replayed, the newest of each record, in five clicks."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay

from ..admin.conftest import EVENTS
from ..conftest import body

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_attempt")]

HERE = __name__
PREVIEW = "#superoffice-preview"


class Down:
    """A receiver that waits for priorities, and is down."""

    def __init__(self) -> None:
        self.is_down = True
        self.called: list[int | None] = []

    def escalate(self, event: Event, **kwargs: object) -> None:
        if self.is_down:
            raise ConnectionError("The escalation service does not answer.")
        self.called.append(event.associate_id)


def works(**kwargs: object) -> None:
    """A receiver that has nothing to complain of."""


@pytest.fixture
def down(connect, deliver) -> Down:
    """Five events failed for one receiver, on two records; one of these has a newer event."""
    down = Down()

    def escalate(event, **kwargs):
        down.escalate(event)

    escalate.__qualname__ = "escalate"
    connect(signals.any_event, works)
    connect(signals.ticket_changed, escalate, fields="priority")
    for number, record in enumerate((1, 1, 1, 2, 2)):
        deliver(body(Changes=["priority"], PrimaryKey=record, ChangedByAssociateId=number))
    deliver(body(Changes=["title"], PrimaryKey=1))
    down.is_down = False
    return down


@pytest.fixture
def click() -> Callable[[Locator], None]:
    """``click(link)``; four are allowed, and one led to the list."""
    left = iter(range(4))

    def click(goal: Locator) -> None:
        next(left)
        goal.click()

    return click


@pytest.mark.parametrize("scripts", [True, False])
def test_what_a_receiver_failed_is_replayed_newest_of_each_record(browse, down, click, scripts):
    admin = browse("rita", java_script_enabled=scripts)
    admin.open(f"{EVENTS}?receiver={HERE}.escalate&outcome=failed")
    click(admin.link("Replay all that match"))
    preview = admin.tab.locator(PREVIEW)
    # Who comes from failures means what failed.
    expect(preview).to_contain_text("This replay makes 5 calls.")
    expect(admin.tab.get_by_label(f"{HERE}.escalate")).to_be_checked()
    expect(admin.tab.get_by_label(f"{HERE}.works")).not_to_be_checked()
    click(admin.tab.get_by_label("Only the newest event of each record"))
    if not scripts:
        click(admin.button("Preview"))
    expect(preview).to_contain_text("This replay makes 2 calls.")
    expect(preview).to_contain_text("1 record has a newer event that is not among these.")
    assert not Replay.objects.exists()
    admin.give_reason("The service is back")
    click(admin.button("Replay"))
    admin.says("2 succeeded, 0 failed.")
    assert down.called == [2, 4]


def test_the_preview_of_many_events_that_are_named_follows_too(browse, down):
    keys = ",".join(f"{key}" for key in [*Event.objects.values_list("pk", flat=True)] * 400)
    admin = browse("rita")
    admin.open(f"{EVENTS}replay/?ids={keys[:3000].rpartition(',')[0]}")
    # As if they were thousands, which no address has room for.
    admin.tab.locator("[name=criteria]").evaluate("field => field.value += ' '.repeat(9000)")
    preview = admin.tab.locator(PREVIEW)
    expect(preview).to_contain_text("This replay makes 11 calls.")
    with admin.tab.expect_response(lambda answer: "replay/" in answer.url) as answered:
        admin.tab.get_by_label(f"{HERE}.escalate").check()
    assert answered.value.request.method == "POST"
    expect(preview).to_contain_text("This replay makes 5 calls.")
    assert not Replay.objects.exists()
