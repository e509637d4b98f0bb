"""A dispatcher looks at the webhooks now and then, and never waits for SuperOffice."""

import threading
import time

import pytest
from django.test import override_settings

from superoffice_hooks.dispatcher import Upkeep
from superoffice_hooks.dispatcher.gate import Gate
from superoffice_hooks.dispatcher.webhook_watch import WebhookWatch
from superoffice_hooks.dispatching.watching import Calling
from superoffice_hooks.models import Dispatcher

from ..conftest import SECRET

looks: list[float] = []
begun, goes_on = threading.Event(), threading.Event()


def watch_due(seconds: float) -> None:
    looks.append(seconds)
    begun.set()
    goes_on.wait(10)


def fails(seconds: float) -> None:
    looks.append(seconds)
    begun.set()
    raise ValueError("a look that goes wrong")


@pytest.fixture(autouse=True)
def _looking(monkeypatch):
    monkeypatch.setattr("superoffice_hooks.superoffice_api.is_installed", lambda: True)
    looks.clear()
    begun.clear()
    goes_on.clear()
    yield
    goes_on.set()


def watch_with(function, parts: float = 10) -> WebhookWatch:
    return WebhookWatch(f"{__name__}.{function.__name__}", parts)


def hooks(**changes):
    return override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], **changes})


@pytest.mark.django_db(transaction=True)
def test_a_turn_begins_one_look_and_does_not_wait_for_it():
    upkeep = Upkeep(Gate(), Dispatcher.of_this_process(Dispatcher.Kind.WEB, 1))
    upkeep.watch = watch_with(watch_due)
    with hooks(WATCH_EVERY=60):
        started = time.monotonic()
        for _ in range(3):
            upkeep.run(lambda: False, Calling())
        assert time.monotonic() - started < 5
        assert begun.wait(10)
    assert looks == [60]


@hooks(WATCH_EVERY=60)
def test_a_look_that_takes_long_is_not_begun_twice():
    watch = watch_with(watch_due, parts=1e9)
    for _ in range(3):
        watch.take_turn()
    assert begun.wait(10)
    assert looks == [60]


@hooks(WATCH_EVERY=60)
def test_an_error_ends_one_look_alone(caplog):
    watch = watch_with(fails, parts=1e9)
    watch.take_turn()
    watch._thread.join(10)
    watch.take_turn()
    watch._thread.join(10)
    assert looks == [60, 60]
    assert "the next look comes" in caplog.text


@hooks()
def test_without_the_setting_nobody_looks():
    watch = watch_with(watch_due)
    watch.take_turn()
    assert watch._thread is None


@hooks(WATCH_EVERY=60)
def test_without_the_extra_nobody_looks(monkeypatch):
    monkeypatch.setattr("superoffice_hooks.superoffice_api.is_installed", lambda: False)
    watch = watch_with(watch_due)
    watch.take_turn()
    assert watch._thread is None
