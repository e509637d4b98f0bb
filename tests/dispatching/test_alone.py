"""An event that outlived its process is a suspect until an attempt at it has come to its end."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatcher import gather, lane
from superoffice_hooks.dispatcher.lanes import Lanes
from superoffice_hooks.dispatching import gathered
from superoffice_hooks.dispatching.attempts import Attempt
from superoffice_hooks.dispatching.gathered import GatheredCall
from superoffice_hooks.dispatching.watching import Calling, Surroundings
from superoffice_hooks.exceptions import RetryLater
from superoffice_hooks.models import Dispatcher, Event, Gathering, ReceiverRun
from superoffice_hooks.models.claiming import take_rows
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.testing import dispatch_due

from ..conftest import SECRET
from .test_gathering import ticket

pytestmark = pytest.mark.django_db

WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})


@pytest.fixture(autouse=True)
def _worker():
    with WORKER:
        yield


@pytest.fixture
def claim() -> Callable[..., Any]:
    """``claim(model)``: the only row, which has outlived a process."""

    def claim(model: Any = Event, *, alone: bool = True) -> Any:
        due = timezone.now() - timedelta(hours=1)
        model.objects.update(alone=alone, attempts=1, next_attempt_at=due)
        (row,) = take_rows(model, 1)
        assert row.alone == alone
        return row

    return claim


def but(*receivers: Any) -> Surroundings:
    """Surroundings in which these receivers are held."""
    held = set(map(dotted_path, receivers))
    return Surroundings(Calling(), True, lambda path: path not in held)


def state(model: Any = Event) -> tuple[Any, ...]:
    row = model.objects.get()
    assert row.claim is None
    return row.alone, row.attempts, row.deaths


def succeeds(**kwargs: Any) -> None:
    pass


def is_put_off(**kwargs: Any) -> None:
    raise RetryLater(60)


def test_while_its_receiver_is_held(post, connect, claim):
    connect(signals.ticket_changed, succeeds)
    post(ticket())
    Attempt(claim(), but(succeeds)).make()
    assert state() == (True, 1, 0)


@pytest.mark.parametrize("other", [succeeds, is_put_off])
def test_while_one_of_its_receivers_is_held(post, connect, claim, other):
    def held(**kwargs):
        pass

    connect(signals.ticket_changed, other)
    connect(signals.ticket_changed, held)
    post(ticket())
    Attempt(claim(), but(held)).make()
    assert state() == (True, 2, 0)


def test_while_its_receiver_is_held_and_filters_were_called(post, connect, claim):
    connect(signals.ticket_changed, succeeds, fields=lambda event: {"priority"})
    post(ticket())
    Attempt(claim(), but(succeeds)).make()
    assert state() == (True, 1, 0)


def told_to_end(*args: Any, **kwargs: Any) -> None:
    raise KeyboardInterrupt


def test_when_its_process_is_told_to_end(post, connect, claim):
    connect(signals.ticket_changed, told_to_end)
    post(ticket())
    with pytest.raises(KeyboardInterrupt):
        Attempt(claim()).make()
    assert state() == (True, 1, 0)


def test_when_its_transaction_is_undone_for_another(post, connect, claim, monkeypatch):
    connect(signals.ticket_changed, succeeds)
    post(ticket())

    def undone(*args):
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    monkeypatch.setattr(ReceiverRun, "store", undone)
    Attempt(claim()).make()
    assert state() == (True, 1, 0)


def test_not_one_that_no_process_died_of(post, connect, claim):
    """In a process with one lane, each attempt is made alone."""
    connect(signals.ticket_changed, told_to_end)
    post(ticket())
    with pytest.raises(KeyboardInterrupt):
        Attempt(claim(alone=False), but()).make()
    assert state() == (False, 1, 0)


def test_no_longer_than_until_its_receiver_has_failed(post, connect, claim):
    connect(signals.ticket_changed, is_put_off)
    post(ticket())
    Attempt(claim()).make()
    assert state() == (False, 2, 0)


def test_one_that_cannot_be_alone_in_time_waits_on(post, connect, claim):
    connect(signals.ticket_changed, succeeds)
    post(ticket())
    lanes = Lanes(Dispatcher.Kind.COMMAND, 2)
    lanes.gate.seconds = 0
    with lanes.gate.inside(Calling()):
        lane.Lane(lanes)._work([claim()])
    assert state() == (True, 1, 0)


class TestAGathering:
    @pytest.fixture(autouse=True)
    def _gathering(self, post, connect):
        connect(signals.ticket_changed, succeeds, settle=30)
        post(ticket())
        dispatch_due()
        self.state = partial(state, Gathering)

    def test_while_its_receiver_is_held(self, claim):
        GatheredCall(claim(Gathering), but(succeeds)).make()
        assert self.state() == (True, 1, 0)

    def test_when_it_cannot_be_alone_in_time(self, claim):
        lanes = Lanes(Dispatcher.Kind.COMMAND, 2)
        lanes.gate.seconds = 0
        with lanes.gate.inside(Calling()):
            gather.gather(lanes, lane.Lane(lanes), claim(Gathering))
        assert self.state() == (True, 1, 0)

    def test_while_its_receiver_is_not_connected(self, claim):
        signals.ticket_changed.disconnect(succeeds)
        GatheredCall(claim(Gathering)).make()
        assert self.state() == (True, 2, 0)

    def test_when_its_process_is_told_to_end(self, claim, monkeypatch):
        monkeypatch.setattr(gathered, "call", told_to_end)
        with pytest.raises(KeyboardInterrupt):
            GatheredCall(claim(Gathering)).make()
        assert self.state() == (True, 1, 0)
