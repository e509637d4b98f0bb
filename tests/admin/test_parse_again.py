"""Parse again: a signed delivery that made no event becomes one after the fix, once."""

import pytest

from superoffice_hooks import receiving, signals
from superoffice_hooks.models import Event, Redelivery, Rejection
from superoffice_hooks.models.event import EventQuerySet
from superoffice_hooks.notification import Unreadable

from ..conftest import body
from .conftest import REJECTIONS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def with_the_bug(post, monkeypatch):
    """Delivers while our version cannot store what is sent, and mends it afterwards."""

    def fails(*args):
        raise ValueError("a bug in this version")

    def deliver(*sent: bytes) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(EventQuerySet, "record", fails)
            for one in sent:
                assert post(one).status_code == 200

    return deliver


def page_of(client, rejection: Rejection) -> Page:
    return Page.get(client, f"{REJECTIONS}{rejection.pk}/change/")


def press_the_button(page: Page) -> Page:
    """The form with nothing but its token."""
    form = next(form for form in page.forms if form.id == "parse-again")
    response = page.client.post(form.action, dict(form.fields), follow=True)
    return Page(page.client, response, form.action)


def test_after_the_fix_it_becomes_an_event_and_its_receivers_are_called(
    with_the_bug, connect, replayer
):
    calls = []
    connect(signals.ticket_changed, lambda event, **kwargs: calls.append(event.primary_key))
    with_the_bug(body(PrimaryKey=7))
    rejection = Rejection.objects.get()
    assert (rejection.reason, rejection.verified) == ("not storable: ValueError", True)
    page = press_the_button(page_of(replayer, rejection))
    event = Event.objects.get()
    assert page.url.startswith(f"/admin/superoffice_hooks/event/{event.pk}/change/")
    assert "The rejection could be read" in page.text
    assert "It was a rejection first (not storable: ValueError)" in page.text
    assert (event.primary_key, event.received_at) == (7, rejection.received_at)
    assert bytes(event.body) == bytes(rejection.body)
    assert (calls, Event.objects.get().status) == ([7], "succeeded")
    assert not Rejection.objects.exists()


def test_what_still_cannot_be_read_stays_and_the_page_says_why(post, replayer):
    post(b"[1, 2")
    rejection = Rejection.objects.get()
    page = press_the_button(page_of(replayer, rejection))
    assert "It still makes no event. The body is not JSON" in page.text
    assert Rejection.objects.get() == rejection
    assert not Event.objects.exists()


def test_an_event_that_came_in_meanwhile_gets_a_redelivery(with_the_bug, post, replayer):
    sent = body()
    with_the_bug(sent)
    post(sent)
    press_the_button(page_of(replayer, Rejection.objects.get()))
    assert (Event.objects.count(), Redelivery.objects.count()) == (1, 1)
    assert not Rejection.objects.exists()


def test_a_receiver_that_raises_is_no_reason_to_keep_the_rejection(with_the_bug, connect, replayer):
    connect(signals.ticket_changed, raises)
    with_the_bug(body())
    press_the_button(page_of(replayer, Rejection.objects.get()))
    assert Event.objects.get().status == "failed"
    assert not Rejection.objects.exists()


def test_the_action_takes_several_and_counts(with_the_bug, post, replayer):
    with_the_bug(body(PrimaryKey=1), body(PrimaryKey=2))
    post(b"no JSON")
    post(body(), secret="a guess")
    chosen = [str(rejection.pk) for rejection in Rejection.objects.all()]
    page = Page.get(replayer, REJECTIONS)
    page = page.submit("action", action="parse_again", _selected_action=chosen)
    assert "4 rejections parsed again: 2 made an event." in page.text
    assert "1 still makes no event." in page.text
    assert "1 was not signed, or is gone, and was left alone." in page.text
    assert Event.objects.count() == 2
    assert len(page.cells("reason_word")) == 2


class TestNobodyVouchesForIt:
    """What nobody signed never becomes an event, whatever is posted."""

    def test_there_is_no_button(self, post, replayer):
        post(body(), secret="a guess")
        page = page_of(replayer, Rejection.objects.get())
        assert "Nobody vouches for this delivery." in page.text
        assert "parse-again" not in [form.id for form in page.forms]

    def test_nor_does_the_server_do_it(self, post, replayer):
        post(body(), secret="a guess")
        rejection = Rejection.objects.get()
        replayer.handler.enforce_csrf_checks = False
        answer = replayer.post(f"{REJECTIONS}{rejection.pk}/parse-again/", follow=True)
        assert "There is no such rejection, or nobody signed it." in answer.content.decode()
        with pytest.raises(Rejection.DoesNotExist):
            receiving.receive_again(rejection, "rita")
        assert Rejection.objects.exists()
        assert not Event.objects.exists()


class TestPermissions:
    def test_who_may_only_look_has_no_button_and_is_refused(self, post, viewer, clerk):
        post(b"no JSON")
        rejection = Rejection.objects.get()
        assert "Parse again" not in page_of(viewer, rejection).html
        for client in (viewer, clerk):
            client.handler.enforce_csrf_checks = False
            assert client.post(f"{REJECTIONS}{rejection.pk}/parse-again/").status_code == 403
        action = {"action": "parse_again", "_selected_action": [str(rejection.pk)]}
        assert viewer.post(REJECTIONS, action).status_code == 403

    def test_who_may_not_see_events_stays_with_the_rejections(self, with_the_bug):
        client = logged_in("rolf", "view_rejection", "replay_event", is_staff=True)
        with_the_bug(body())
        assert press_the_button(page_of(client, Rejection.objects.get())).url == REJECTIONS

    def test_a_link_does_nothing(self, post, replayer):
        post(b"no JSON")
        url = f"{REJECTIONS}{Rejection.objects.get().pk}/parse-again/"
        assert replayer.get(url).status_code == 405
        assert replayer.post(url).status_code == 403


def test_of_two_who_ask_at_once_one_gets_the_event(with_the_bug):
    with_the_bug(body())
    one, other = Rejection.objects.get(), Rejection.objects.get()
    receiving.receive_again(one, "anna")
    with pytest.raises(Rejection.DoesNotExist):
        receiving.receive_again(other, "bob")
    assert Event.objects.count() == 1


def test_what_is_unreadable_still_raises_and_keeps_the_row(post):
    post(b"no JSON")
    with pytest.raises(Unreadable):
        receiving.receive_again(Rejection.objects.get(), "anna")
    assert Rejection.objects.exists()
