"""One attempt: what it may begin with, and which receivers join or are held meanwhile."""

import pytest
from django.test import override_settings

from superoffice_hooks.dispatching.attempts import Attempt
from superoffice_hooks.dispatching.watching import Calling, Surroundings
from superoffice_hooks.models import Event, Gathering, ReceiverRun
from superoffice_hooks.models.claiming import take
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.signals import ticket_changed

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def worker():
    """Nobody dispatches what comes in."""
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
        yield


def attempt(**surroundings) -> Attempt:
    """At the only event, once it is due."""
    Event.objects.update(next_attempt_at=InSeconds(-1))
    (event,) = take(1)
    return Attempt(event, Surroundings(Calling(), **surroundings))


def outcomes() -> list[str]:
    return list(ReceiverRun.objects.order_by("pk").values_list("outcome", flat=True))


def test_a_filter_that_is_code_is_not_called_before_the_attempt_has_begun(post, connect):
    judged = []

    def fields(event):
        judged.append(event)
        return {"title"}

    connect(ticket_changed, lambda **kwargs: None, fields=fields)
    post(body())
    assert not attempt().is_plain
    assert judged == []


def test_one_that_settles_has_failed_for_the_event_itself_if_its_filter_raises(post, connect):
    def fields(event):
        raise ValueError("a mistake in the filter")

    connect(ticket_changed, lambda events, **kwargs: None, fields=fields, settle=30)
    post(body())
    assert attempt().make()
    assert outcomes() == ["failed"]
    assert not Gathering.objects.exists()


def test_a_batch_is_called_by_itself_for_an_event_that_outlived_its_process(post, connect):
    calls = []
    connect(ticket_changed, lambda events, **kwargs: calls.append(len(events)), batch=100)
    post(body())
    Event.objects.update(alone=True)
    assert attempt().make()
    assert calls == [1]
    assert not Gathering.objects.exists()


def test_an_attempt_counts_in_which_some_were_called_and_others_held(post, connect):
    calls = []

    def called(**kwargs):
        calls.append("called")

    def held(**kwargs):
        calls.append("held")

    connect(ticket_changed, called)
    connect(ticket_changed, held)
    post(body())
    assert attempt(may_call=lambda path: path != dotted_path(held)).make()
    assert calls == ["called"]
    event = Event.objects.get()
    assert (event.status, event.attempts, event.is_running) == ("pending", 1, False)
    assert attempt().make()
    assert calls == ["called", "held"]
    assert Event.objects.get().status == "succeeded"


def test_one_that_joins_only_in_a_later_attempt_keeps_no_event_in_the_queue(post, connect):
    tries = []

    def settles(events, **kwargs):
        pass

    def settles_too(events, **kwargs):
        pass

    def fails_once(**kwargs):
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    connect(ticket_changed, settles, settle=30)
    connect(ticket_changed, fails_once)
    post(body())
    assert attempt().make()
    connect(ticket_changed, settles_too, settle=30)
    assert attempt().make()
    assert sorted(outcomes()) == ["failed", "joined", "joined", "succeeded"]
    event = Event.objects.get()
    assert (event.status, event.next_attempt_at, event.finished_at) == ("waiting", None, None)


def test_one_that_has_lost_its_claim_joins_nothing(post, connect):
    connect(ticket_changed, lambda events, **kwargs: None, settle=30)
    post(body())
    lost = attempt()
    Event.objects.update(claim=5)
    assert not lost.make()
    assert outcomes() == []
    assert not Gathering.objects.exists()
