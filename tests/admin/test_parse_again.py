"""Parse again: what was signed but made no event becomes one, after a fix; nothing else does."""

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from superoffice_hooks import dispatcher, signals
from superoffice_hooks.admin import RejectionAdmin
from superoffice_hooks.models import Event, Redelivery, Rejection
from superoffice_hooks.tasks import dispatch_event

from ..conftest import SECRET, before_the_fix, body
from ..copies import copies
from ..test_tasks import DUMMY, queued
from .conftest import EVENTS, REJECTIONS, logged_in
from .page import Page

pytestmark = pytest.mark.django_db

# Under ATOMIC_REQUESTS, which the test project has on, events are handed over with the commit.
committed = pytest.mark.django_db(transaction=True)

BUTTON = "csrfmiddlewaretoken"


def page_of(client, rejection: Rejection) -> Page:
    return Page.get(client, f"{REJECTIONS}{rejection.pk}/change/")


def parse_again(page: Page) -> Page:
    """Click the button."""
    (button,) = [form for form in page.forms if form.id == "parse-again"]
    page.forms = [button]
    page = page.submit(BUTTON)
    assert dispatcher.wait_until_idle(30)
    return page


def choose(page: Page, *rejections: Rejection, **more: str) -> Page:
    """Tick these rejections in the list, and choose the action."""
    chosen = [str(rejection.pk) for rejection in rejections]
    page = page.submit("action", action="parse_again", _selected_action=chosen, **more)
    assert dispatcher.wait_until_idle(30)
    return page


@pytest.fixture
def called(connect) -> list[int | None]:
    """The records whose events reached a receiver, in order."""
    keys: list[int | None] = []
    connect(signals.ticket_changed, lambda event, **kwargs: keys.append(event.primary_key))
    return keys


@committed
def test_after_a_fix_a_click_makes_the_event_and_its_receivers_are_called(
    rejected, called, replayer
):
    rejection = rejected(body(PrimaryKey=527331))
    page = page_of(replayer, rejection)
    assert "This delivery was signed, but it made no event." in page.text
    assert "not storable: KeyError" in page.text
    assert called == []

    page = parse_again(page)
    stored = Event.objects.get()
    assert page.url == f"{EVENTS}{stored.pk}/change/"
    assert f"The rejection could be read, and is kept as {stored} now." in page.text
    assert "was parsed again by rita." in page.text
    assert called == [527331]
    assert stored.status == Event.Status.SUCCEEDED
    assert not Rejection.objects.exists()


def test_what_is_still_unreadable_stays_and_the_page_says_why(post, called, replayer):
    post(b"not json")
    rejection = Rejection.objects.get()
    page = parse_again(page_of(replayer, rejection))
    assert page.url == f"{REJECTIONS}{rejection.pk}/change/"
    assert "It still makes no event. The body is not JSON: Expecting value" in page.text
    assert Rejection.objects.get() == rejection
    assert not Event.objects.exists()


def test_an_error_of_ours_is_no_error_500(rejected, replayer):
    rejection = rejected(body())
    with before_the_fix():
        page = parse_again(page_of(replayer, rejection))
    assert "It still makes no event. not storable: KeyError" in page.text
    assert Rejection.objects.get() == rejection


@override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})
def test_with_workers_it_is_left_to_them(rejected, called, replayer):
    one, two, three = (rejected(body(PrimaryKey=number)) for number in range(3))
    parse_again(page_of(replayer, one))
    choose(Page.get(replayer, REJECTIONS), two, three)
    assert [(event.status, event.attempts) for event in Event.objects.all()] == [("pending", 0)] * 3
    assert called == []
    call_command("superoffice_dispatch", verbosity=0)
    assert sorted(called) == [0, 1, 2]


@committed
@DUMMY
def test_with_tasks_it_is_enqueued(rejected, called, replayer):
    one, two, three = (rejected(body()) for _ in range(3))
    backend: Any = dispatch_event.get_backend()
    backend.clear()
    parse_again(page_of(replayer, one))
    choose(Page.get(replayer, REJECTIONS), two, three)
    assert queued() == list(Event.objects.order_by("pk").values_list("pk", flat=True))
    assert len(queued()) == 3
    assert called == []


@committed
def test_receivers_are_called_once_the_event_is_committed(rejected, connect, replayer):
    """Under ATOMIC_REQUESTS too, which the test project has on."""
    in_transaction = []
    connect(
        signals.ticket_changed,
        lambda **kwargs: in_transaction.append(connection.in_atomic_block),
        atomic=False,
    )
    parse_again(page_of(replayer, rejected(body())))
    assert in_transaction == [False]


def test_an_event_that_is_stored_already_is_dispatched_no_second_time(
    post, rejected, called, replayer
):
    sent = body(PrimaryKey=5)
    rejection = rejected(sent)
    post(sent)
    page = parse_again(page_of(replayer, rejection))
    assert page.url == f"{EVENTS}{Event.objects.get().pk}/change/"
    assert called == [5]
    assert Redelivery.objects.count() == 1


def test_there_is_no_button_for_what_nobody_signed_and_no_way_around_it(post, called, replayer):
    post(body(), secret="a guess")
    rejection = Rejection.objects.get()
    assert "Parse again" not in page_of(replayer, rejection).html
    replayer.handler.enforce_csrf_checks = False
    for sent in ({}, {"verified": "1"}):
        url = f"{REJECTIONS}{rejection.pk}/parse-again/"
        answer = replayer.post(url, sent, follow=True).content.decode()
        assert "There is no such rejection, or nobody signed it." in answer
    page = choose(Page.get(replayer, REJECTIONS), rejection)
    assert "1 was not signed, or is gone, and was left alone." in page.text
    assert Rejection.objects.get() == rejection
    assert not Event.objects.exists()


@pytest.mark.parametrize("number", [0, 1, "9" * 30])
def test_a_rejection_that_is_gone_is_said_to_be(replayer, number):
    replayer.handler.enforce_csrf_checks = False
    answer = replayer.post(f"{REJECTIONS}{number}/parse-again/", follow=True)
    assert "There is no such rejection, or nobody signed it." in answer.content.decode()


@pytest.mark.parametrize("nonsense", ["x", "-1", "%00", "9" * 5000])
def test_what_is_no_number_parses_nothing(post, replayer, nonsense):
    replayer.handler.enforce_csrf_checks = False
    answer = replayer.post(f"{REJECTIONS}{nonsense}/parse-again/", follow=True)
    assert answer.status_code < 500
    assert "nobody signed it" not in answer.content.decode()


def test_looking_parses_nothing(rejected, replayer):
    rejection = rejected(body())
    for method in (replayer.get, replayer.head):
        assert method(f"{REJECTIONS}{rejection.pk}/parse-again/").status_code == 405
    assert Rejection.objects.get() == rejection


class TestAction:
    """The same for several at once."""

    @committed
    def test_it_counts_what_came_of_them_and_begins_with_the_oldest(
        self, post, rejected, called, replayer
    ):
        chosen = [rejected(body(PrimaryKey=number)) for number in (1, 2)]
        post(b"[]")
        post(body(), secret="a guess")
        others = list(Rejection.objects.order_by("-pk")[:2])
        page = choose(Page.get(replayer, REJECTIONS), *chosen, *others)
        assert "4 rejections parsed again: 2 made an event." in page.text
        assert "1 still makes no event." in page.text
        assert "1 was not signed, or is gone, and was left alone." in page.text
        assert 'class="warning"' in page.html
        assert sorted(called) == [1, 2]
        assert sorted(Rejection.objects.values_list("pk")) == sorted((o.pk,) for o in others)

    @committed
    def test_all_of_them_across_pages_and_filters_stay(
        self, rejected, called, replayer, monkeypatch
    ):
        monkeypatch.setattr(RejectionAdmin, "list_per_page", 2)
        chosen = [rejected(body(PrimaryKey=number)) for number in range(5)]
        page = Page.get(replayer, f"{REJECTIONS}?verified__exact=1")
        page = choose(page, *chosen[-2:], select_across="1")
        assert "5 rejections parsed again: 5 made an event." in page.text
        assert 'class="success"' in page.html
        assert page.url == f"{REJECTIONS}?verified__exact=1"
        assert sorted(called) == [0, 1, 2, 3, 4]

    def test_more_than_one_request_should_parse_are_refused(self, rejected, replayer):
        stored = rejected(body())
        copies(stored, 1000)
        page = choose(Page.get(replayer, REJECTIONS), stored, select_across="1")
        assert "Please select 1000 rejections at most." in page.text
        assert not Event.objects.exists()

    @committed
    def test_the_answer_waits_for_no_receiver(self, rejected, connect, replayer):
        answered = threading.Event()
        waited = []
        connect(signals.any_event, lambda **kw: waited.append(answered.wait(30)), atomic=False)
        chosen = [str(rejected(body()).pk) for _ in range(2)]
        page = Page.get(replayer, REJECTIONS)
        page = page.submit("action", action="parse_again", _selected_action=chosen)
        assert "2 rejections parsed again: 2 made an event." in page.text
        answered.set()
        assert dispatcher.wait_until_idle(30)
        assert waited == [True, True]


class TestWhoMay:
    """Who may replay events and view rejections."""

    def refused(self, client, rejection: Rejection) -> None:
        assert (
            "Parse again" not in client.get(f"{REJECTIONS}{rejection.pk}/change/").content.decode()
        )
        client.handler.enforce_csrf_checks = False
        for url, sent in (
            (f"{REJECTIONS}{rejection.pk}/parse-again/", {}),
            (REJECTIONS, {"action": "parse_again", "_selected_action": rejection.pk}),
        ):
            answer = client.post(url, sent)
            assert answer.status_code == 403 or "login" in answer.headers["Location"]
        assert Rejection.objects.get() == rejection
        assert not Event.objects.exists()

    @pytest.mark.parametrize("browser", ["anonymous", "clerk", "viewer"])
    def test_nobody_else(self, request, rejected, browser):
        self.refused(request.getfixturevalue(browser), rejected(body()))

    def test_not_who_may_replay_and_sees_no_rejections(self, rejected):
        self.refused(logged_in("ray", "replay_event", is_staff=True), rejected(body()))

    def test_the_list_offers_the_action_to_those_who_may(self, rejected, viewer, replayer):
        rejected(body())
        offer = "Parse selected rejections again"
        assert offer not in Page.get(viewer, REJECTIONS).text
        assert offer in Page.get(replayer, REJECTIONS).text

    def test_who_may_not_view_events_is_led_back_to_the_list(self, rejected):
        browser = logged_in("rex", "view_rejection", "replay_event", is_staff=True)
        page = parse_again(page_of(browser, rejected(body())))
        assert page.url == REJECTIONS
        assert "The rejection could be read" in page.text

    def test_another_site_cannot_ask_for_it(self, rejected, replayer):
        rejection = rejected(body())
        assert replayer.post(f"{REJECTIONS}{rejection.pk}/parse-again/").status_code == 403
        assert Rejection.objects.get() == rejection
