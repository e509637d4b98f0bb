"""DISPATCH = "task": each event is a task of the project's own queue."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import conf, signals
from superoffice_hooks.models import Event, steps
from superoffice_hooks.models.claiming import take
from superoffice_hooks.tasks import dispatch_event, pause

from .conftest import SECRET, body

pytestmark = pytest.mark.django_db

TASKS = type(dispatch_event).__module__.partition(".base")[0]


def with_queue(backend: str) -> override_settings:
    return override_settings(
        SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "task", "LEASE_SECONDS": 100},
        TASKS={"default": {"BACKEND": backend}},
    )


IMMEDIATE = with_queue(f"{TASKS}.backends.immediate.ImmediateBackend")
DUMMY = with_queue(f"{TASKS}.backends.dummy.DummyBackend")
AWAY = with_queue("tests.test_tasks.BackendThatIsAway")


class BackendThatIsAway(type(dispatch_event.get_backend())):  # type: ignore[misc]
    """Its broker is out of reach."""

    tries = 0

    def enqueue(self, task, args, kwargs):
        type(self).tries += 1
        raise ConnectionError("nobody listens there")


@pytest.fixture(autouse=True)
def reached(monkeypatch):
    """No test is held up by the queue of another one."""
    monkeypatch.setattr(BackendThatIsAway, "tries", 0)
    yield
    pause.end()


@pytest.fixture
def called(connect) -> list[int]:
    calls: list[int] = []
    connect(signals.ticket_changed, lambda event, **kwargs: calls.append(event.pk))
    return calls


def queued():
    backend: Any = dispatch_event.get_backend()
    return [result.args[0] for result in backend.results]


@IMMEDIATE
def test_a_task_dispatches_the_event(post, called):
    assert post(body()).status_code == 200
    event = Event.objects.get()
    assert (event.status, event.attempts) == ("succeeded", 1)
    assert called == [event.pk]


@DUMMY
def test_the_event_is_stored_pending_and_enqueued_once(post, called):
    backend: Any = dispatch_event.get_backend()
    backend.clear()
    post(body())
    event = Event.objects.get()
    assert (event.status, event.attempts, called) == ("pending", 0, [])
    assert queued() == [event.pk]


@DUMMY
def test_others_leave_it_to_the_queue_until_a_lease_is_over(post, called):
    post(body())
    call_command("superoffice_dispatch", verbosity=0)
    assert called == []
    later = timezone.now() - timedelta(seconds=1)
    Event.objects.update(next_attempt_at=later)
    call_command("superoffice_dispatch", verbosity=0)
    assert called == [Event.objects.get().pk]


@AWAY
def test_a_queue_out_of_reach_costs_nothing_but_time(post, called, caplog):
    assert post(body()).status_code == 200
    assert Event.objects.get().status == "pending"
    assert "waits for superoffice_dispatch" in caplog.text
    Event.objects.update(next_attempt_at=timezone.now())
    call_command("superoffice_dispatch", verbosity=0)
    assert len(called) == 1


@AWAY
def test_a_queue_out_of_reach_is_left_alone_for_some_seconds(post, caplog):
    post(body())
    post(body())
    assert BackendThatIsAway.tries == 1
    assert "the queue was out of reach" in caplog.text
    for tries in (2, 3):
        pause.end()
        post(body())
        assert BackendThatIsAway.tries == tries


@IMMEDIATE
def test_a_task_for_an_event_that_is_done_or_gone_does_nothing(post, called):
    post(body())
    event = Event.objects.get()
    dispatch_event.call(event.pk)
    dispatch_event.call(event.pk + 1)
    assert called == [event.pk]


def test_a_task_for_an_event_somebody_is_dispatching_does_nothing(post, called):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
        post(body())
    (event,) = take(1)
    assert steps.begin(event, calling="", alone=False).apply()
    dispatch_event.call(event.pk)
    assert called == []


def test_there_are_django_tasks_here():
    assert conf.has_tasks()
