"""A mistake of ours fails one event of a replay; a deleted event fails nothing."""

from typing import Any

import pytest
from django.db import IntegrityError

from superoffice_hooks import signals
from superoffice_hooks.dispatching.calling import call
from superoffice_hooks.models import Event
from superoffice_hooks.replay import batches
from superoffice_hooks.replay.criteria import Criteria
from superoffice_hooks.replay.running import plan, replay

from ..conftest import body

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_events(post, connect) -> list[Event]:
    connect(signals.ticket_changed, lambda **kwargs: None)
    post(body())
    post(body())
    return list(Event.objects.order_by("pk"))


@pytest.fixture
def stumbles(monkeypatch):
    """``stumbles(error, first)``: our part of the first call raises it, after ``first`` ran."""

    def begin(error: Exception, first: Any = None) -> None:
        def stumble(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.setattr(batches, "call", call)
            if first:
                first()
            raise error

        monkeypatch.setattr(batches, "call", stumble)

    return begin


def replayed() -> tuple[str, int, int, int]:
    planned = plan(Criteria(), who="anna", reason="")
    planned.release()
    done = replay(planned)
    return done.state, done.done, done.failed, done.runs.count()


@pytest.mark.parametrize("error", [RuntimeError("ours"), IntegrityError("of another row")], ids=str)
def test_it_is_logged_and_counted_and_the_next_event_is_replayed(
    two_events, stumbles, caplog, error
):
    stumbles(error)
    assert replayed() == ("finished", 1, 1, 1)
    assert caplog.text.count(f"Unexpected error while replaying {two_events[0]}") == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_deleted_during_its_call_has_not_failed(two_events, connect, caplog):
    first = two_events[0]

    def deletes(event, replay, **kwargs):
        if replay and event == first:
            Event.objects.filter(pk=first.pk).delete()

    connect(signals.any_event, deletes, atomic=False)
    assert replayed() == ("finished", 1, 0, 2)
    assert f"{first} was deleted while receiver" in caplog.text
    assert "Unexpected" not in caplog.text


def test_another_error_of_an_event_that_is_deleted_is_told(two_events, stumbles, caplog):
    first = two_events[0]
    stumbles(RuntimeError("ours"), Event.objects.filter(pk=first.pk).delete)
    assert replayed()[:3] == ("finished", 1, 1)
    assert f"Unexpected error while replaying {first}" in caplog.text
