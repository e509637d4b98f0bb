"""A receiver fails, is mended, and somebody replays: by mouse, by keyboard, without scripts."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import expect

from superoffice_hooks.models import Event, Replay

from ..admin.conftest import EVENTS, REPLAY, VIEW
from .conftest import PHONE
from .helpdesk import ERROR, TICKET

pytestmark = pytest.mark.hard

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
    admin.replay_button().click()
    admin.says("helpdesk.receivers.escalate")
    assert not Replay.objects.exists()
    admin.give_reason(WHY)
    admin.button("Replay").click()


def it_succeeded(admin, helpdesk):
    admin.says("1 event replayed: 1 succeeded, 0 failed.")
    admin.says("succeeded after 2 attempts")
    admin.says(WHY)
    assert helpdesk.escalated == [TICKET]
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
    admin.tab_to(admin.tab.get_by_label("changed field"))
    admin.tab.keyboard.type("priority")
    press("Enter")
    admin.tab.wait_for_url(re.compile("changed=priority"))
    admin.tab_to(admin.rows().filter(has_text=RECORD).get_by_role("link").first)
    press("Enter")
    admin.says("failed after 1 attempt")
    admin.tab_to(admin.headline(ERROR))
    press("Enter")
    expect(admin.read_traceback(ERROR)).to_contain_text("in escalate")
    helpdesk.mend()
    admin.open(admin.path())
    admin.tab_to(admin.replay_button())
    press("Enter")
    # The reason has the focus from the start.
    expect(admin.tab.get_by_label("Why")).to_be_focused()
    admin.tab.keyboard.type(WHY)
    admin.tab_to(admin.button("Replay"))
    press("Enter")
    it_succeeded(admin, helpdesk)


def test_who_may_only_look_finds_no_button_and_is_refused(browse, helpdesk):
    helpdesk.ticket_goes_wrong()
    admin = browse("vera")
    open_and_read(admin)
    expect(admin.replay_button()).to_have_count(0)
    admin.open(EVENTS)
    assert "Replay selected events" not in admin.text()
    assert admin.status_of(f"{REPLAY}?ids={Event.objects.latest('pk').pk}") == 403
    assert admin.status_of(EVENTS) == 200
