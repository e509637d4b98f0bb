"""A receiver raises, is mended, and somebody clicks Replay."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay

from ..conftest import body
from .conftest import EVENTS, REPLAY
from .page import Page

pytestmark = pytest.mark.django_db


class Escalation:
    """A receiver that somebody is going to mend."""

    __qualname__ = "escalate"

    def __init__(self) -> None:
        self.is_broken = True
        self.replays: list[Replay | None] = []

    def __call__(self, *, event, replay, **kwargs):
        if self.is_broken:
            raise KeyError("ticket_type of the <b>year</b>")
        self.replays.append(replay)


@pytest.mark.usefixtures("one_attempt")
def test_what_a_receiver_got_wrong_is_put_right_with_a_click(post, connect, replayer):
    escalate = connect(signals.ticket_changed, Escalation())
    assert post(body(PrimaryKey=527331)).status_code == 200
    assert Event.objects.get().status == Event.Status.FAILED

    page = Page.get(replayer, EVENTS)
    page = page.click(next(text for text in page.links if text.startswith("20")))
    assert "failed after 1 attempt" in page.text
    assert "KeyError: 'ticket_type of the <b>year</b>'" in page.text
    assert "Traceback (most recent call last)" in page.text
    assert 'raise KeyError("ticket_type of the <b>year</b>")' in page.text

    escalate.is_broken = False
    page = page.click("Replay")
    assert "Replay 1 event" in page.text
    assert "tests.admin.test_story.escalate" in page.text
    assert Event.objects.get().status == Event.Status.FAILED

    page = page.submit("reason", reason="the ticket type is known again")
    assert "1 event replayed: 1 succeeded, 0 failed." in page.text
    assert "and has succeeded. It was replayed once." in page.text
    assert "the ticket type is known again" in page.text
    replay = Replay.objects.get()
    assert (replay.who, replay.reason) == ("rita", "the ticket type is known again")
    assert (replay.planned, replay.done, replay.failed) == (1, 1, 0)
    assert escalate.replays == [replay]
    assert Event.objects.get().status == Event.Status.SUCCEEDED

    page = page.click(f"{replay.pk} by rita")
    assert "the ticket type is known again" in page.text
    assert "ticket.changed 527331" in page.links


@pytest.mark.usefixtures("one_attempt")
def test_a_replay_that_fails_again_shows_the_new_error_too(event, connect, replayer):
    escalate = connect(signals.ticket_changed, Escalation())
    failed = event()
    page = Page.get(replayer, f"{REPLAY}?ids={failed.pk}").submit("reason", reason="hope")
    assert "1 event replayed: 0 succeeded, 1 failed." in page.text
    assert "failed 2 times, the last time on 20" in page.text
    # It is the same as that of the first dispatch.
    assert page.html.count("Traceback (most recent call last)") == 1
    assert escalate.replays == []
