"""A receiver fails, is mended, and somebody replays: by mouse, by keyboard, without scripts."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from playwright.sync_api import expect

from superoffice_hooks.models import Event, Replay
from superoffice_hooks.replay import running
from superoffice_hooks.replay.running import Criteria

from ..admin.conftest import EVENTS, REPLAY, REPLAYS, VIEW
from .conftest import PHONE
from .helpdesk import ERROR, TICKET

pytestmark = [pytest.mark.slow, pytest.mark.early]

RECORD = f"ticket {TICKET}"
WHY = "Category 7 has a queue now."


def open_and_read(admin):
    """From the list to the traceback."""
    admin.open(EVENTS).filter_by_changed_field("priority")
    expect(admin.rows()).to_have_count(1)
    admin.open_row(RECORD)
    admin.says("failed after 1 attempt")
    expect(admin.read_traceback(ERROR)).to_contain_text("in escalate")


def replay(admin):
    """Only what failed: the owner of the ticket need not be told twice."""
    admin.link("Replay what failed").click()
    admin.says("helpdesk.receivers.escalate (1 event, last run no success: 1)")
    assert not Replay.objects.exists()
    admin.give_reason(WHY)
    admin.button("Replay").click()


def it_succeeded(admin, helpdesk):
    admin.says("1 event replayed: 1 succeeded, 0 failed.")
    admin.says("has succeeded. It was replayed once.")
    admin.says(WHY)
    assert helpdesk.escalated == [TICKET]
    runs = Replay.objects.get().runs.values_list("receiver", flat=True)
    assert list(runs) == ["helpdesk.receivers.escalate"]
    assert Event.objects.get(name="ticket.changed").status == Event.Status.SUCCEEDED


def test_from_the_login_to_an_event_that_succeeded(browse, helpdesk):
    user = User.objects.create_user("rita", password="a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[*VIEW, "replay_event"]))
    helpdesk.ticket_goes_wrong()
    admin = browse().open("/admin/")
    admin.log_in("rita", "a long password")
    admin.link("Events").click()
    open_and_read(admin)
    helpdesk.mend()
    replay(admin)
    it_succeeded(admin, helpdesk)
    admin.link(f"{Replay.objects.get().pk} by rita").click()
    admin.says(WHY)


@pytest.mark.parametrize(
    "options",
    [{"java_script_enabled": False}, {"viewport": PHONE, "has_touch": True}],
    ids=["without JavaScript", "on a phone"],
)
def test_the_same_story(browse, helpdesk, options):
    helpdesk.ticket_goes_wrong()
    admin = browse("rita", **options)
    open_and_read(admin)
    helpdesk.mend()
    replay(admin)
    it_succeeded(admin, helpdesk)


def test_selected_events_are_replayed_without_javascript(browse, helpdesk):
    helpdesk.ticket_goes_wrong()
    helpdesk.mend()
    admin = browse("rita", java_script_enabled=False).open(EVENTS)
    admin.select_row("contact 1204")
    admin.select_row(RECORD)
    admin.run_action("Replay selected events")
    admin.give_reason(WHY)
    admin.button("Replay").click()
    admin.says("2 events replayed: 2 succeeded, 0 failed.")


def test_the_same_story_with_the_keyboard_alone(browse, helpdesk):
    helpdesk.ticket_goes_wrong()
    admin = browse("rita").open(EVENTS)
    press = admin.tab.keyboard.press
    admin.tab_to(admin.filter_summary("changed field"))
    press("Enter")
    admin.tab_to(admin.tab.get_by_label("changed field"))
    admin.tab.keyboard.type("priority")
    press("Enter")
    admin.tab.wait_for_url(re.compile("changed=priority"))
    admin.tab_to(admin.rows().filter(has_text=RECORD).get_by_role("link").first)
    press("Enter")
    admin.says("failed after 1 attempt")
    admin.tab_to(admin.traceback_summary())
    press("Enter")
    expect(admin.read_traceback(ERROR)).to_contain_text("in escalate")
    helpdesk.mend()
    admin.open(admin.path())
    admin.tab_to(admin.link("Replay what failed"))
    press("Enter")
    # The reason has the focus from the start.
    expect(admin.tab.get_by_label("Reason")).to_be_focused()
    admin.tab.keyboard.type(WHY)
    admin.tab_to(admin.button("Replay"))
    press("Enter")
    it_succeeded(admin, helpdesk)


def test_who_may_only_look_finds_no_button_and_is_refused(browse, helpdesk):
    helpdesk.ticket_goes_wrong()
    admin = browse("vera")
    open_and_read(admin)
    for words in ("Replay", "Replay what failed", "Mark as handled"):
        expect(admin.link(words)).to_have_count(0)
    admin.open(EVENTS)
    assert "Replay selected events" not in admin.text()
    assert admin.status_of(f"{REPLAY}?ids={Event.objects.latest('pk').pk}") == 403
    assert admin.status_of(f"{EVENTS}{Event.objects.latest('pk').pk}/handle/") == 403
    assert admin.status_of(EVENTS) == 200


class TestManyEvents:
    """A replay of three hundred: planned, watched to its end, and another one cancelled."""

    MANY = 300

    @pytest.fixture
    def many_events(self, helpdesk):
        helpdesk.ticket_goes_wrong()
        helpdesk.mend()
        first = Event.objects.get(name="ticket.changed")
        copies = [Event.objects.get(pk=first.pk) for _ in range(self.MANY - 1)]
        for number, copy in enumerate(copies, 1):
            copy.pk, copy.primary_key, copy.event_id = None, number, uuid4()
        Event.objects.bulk_create(copies)

    def plan(self, admin):
        admin.open(f"{EVENTS}?entity=ticket")
        admin.tab.get_by_role("checkbox", name="Select all").check()
        admin.link(f"Select all {self.MANY} events").or_(
            admin.tab.locator(".actions .question a")
        ).first.click()
        admin.run_action("Replay selected events")
        admin.says(f"{self.MANY} events are selected.")
        admin.give_reason(WHY)
        admin.button("Replay").click()
        admin.tab.wait_for_url(re.compile("/progress/"))

    def test_it_is_watched_to_its_end(self, browse, many_events):
        admin = browse("rita")
        self.plan(admin)
        expect(admin.tab.get_by_role("status")).to_contain_text("finished", timeout=60_000)
        admin.says(f"{self.MANY} events replayed: {self.MANY} succeeded, 0 failed.")
        assert Replay.objects.get().state == "finished"

    def test_it_is_cancelled(self, browse, helpdesk, many_events, settings):
        # Nobody carries it on so fast that there is nothing left to cancel.
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
        admin = browse("rita")
        self.plan(admin)
        admin.button("Cancel the replay").click()
        expect(admin.tab.get_by_role("status")).to_contain_text("cancelled")
        admin.says("Cancelled by rita")
        replay = Replay.objects.get()
        assert replay.tried < self.MANY
        assert replay.state == "cancelled"

    def test_it_reaches_its_end_without_javascript(self, browse, many_events):
        planned = running.plan(Criteria(entity="ticket"), who="anna", reason=WHY)
        planned.release()
        admin = browse("rita", java_script_enabled=False)
        admin.open(f"{REPLAYS}{planned.pk}/progress/")
        admin.says("Remaining")
        call_command("superoffice_dispatch")
        # The page reloads itself.
        expect(admin.tab.get_by_role("status")).to_contain_text("finished", timeout=60_000)

    def test_who_may_only_look_cannot_cancel_it(self, browse, many_events):
        planned = running.plan(Criteria(entity="ticket"), who="anna", reason=WHY)
        planned.release()
        admin = browse("vera").open(f"{REPLAYS}{planned.pk}/progress/")
        expect(admin.button("Cancel the replay")).to_have_count(0)
        assert admin.posted(f"{REPLAYS}{planned.pk}/cancel/") == 403
        assert Replay.objects.get().tried == 0


def test_a_failure_is_marked_as_handled(browse, helpdesk):
    helpdesk.ticket_goes_wrong()
    admin = browse("rita")
    open_and_read(admin)
    admin.link("Mark as handled").click()
    admin.tab.get_by_label("What was done").fill("Called the customer")
    admin.button("Mark as handled").click()
    admin.says("failed, and was handled by rita: Called the customer")


def test_the_overview_leads_to_what_is_behind_its_figures(browse, helpdesk):
    helpdesk.morning()
    admin = browse("rita").open("/admin/superoffice_hooks/")
    admin.link("Overview").click()
    expect(admin.tab.get_by_role("img", name="Events per hour")).to_be_visible()
    cause = admin.tab.get_by_role("row").filter(has_text="helpdesk.receivers.escalate")
    cause.get_by_role("link").nth(1).click()
    expect(admin.rows().filter(has_text=RECORD)).not_to_have_count(0)
