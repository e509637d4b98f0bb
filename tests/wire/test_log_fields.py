"""Fields: each record says what it is about, so that those of one event are found."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from superoffice_hooks.dispatcher import hand_over
from superoffice_hooks.dispatching.in_thread import dispatch_due
from superoffice_hooks.dispatching.watching import Calling, Keeper
from superoffice_hooks.exceptions import GiveUp
from superoffice_hooks.models import Event, FailureGroup, queue
from superoffice_hooks.receiving import deliveries
from superoffice_hooks.replay import running
from superoffice_hooks.replay.criteria import Criteria
from superoffice_hooks.signals import ticket_changed
from superoffice_hooks.wire.log_fields import FIELDS, about, fields
from superoffice_hooks.wire.logs import get_logger

from ..conftest import SECRET, body, documented

json_logger = pytest.importorskip("pythonjsonlogger.json")

pytestmark = pytest.mark.django_db

Lines = Callable[[], list[dict[str, Any]]]
PLAIN = {"message", "levelname", "exc_info", "name", "taskName"}


@pytest.fixture
def lines() -> Iterator[Lines]:
    """``lines()`` is what a JSON logger has written since."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(json_logger.JsonFormatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)

    def written() -> list[dict[str, Any]]:
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        assert SECRET not in text
        return [json.loads(line) for line in text.splitlines()]

    yield written
    root.removeHandler(handler)


def fields_of(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in PLAIN}


def raises(**kwargs):
    raise ValueError("no such ticket")


def gives_up(**kwargs):
    raise GiveUp("never")


def logs(**kwargs):
    logging.getLogger("helpdesk").warning("looked at it")


def what_is_known(event: Event) -> dict[str, Any]:
    return {
        "event_id": str(event.event_id),
        "event_name": "ticket.changed",
        "event_pk": event.pk,
        "record": f"ticket:{event.primary_key}",
        "tenant": "Cust12345",
        "endpoint": "default",
        "webhook": event.webhook_name,
        "attempt": 1,
    }


def test_a_failure_names_the_event_its_record_the_receiver_and_the_group(post, connect, lines):
    connect(ticket_changed, raises)
    post(body(ContextIdentifier="Cust12345"))
    event = Event.objects.get()
    known = {**what_is_known(event), "receiver": f"{__name__}.raises"}
    raised, new = lines()
    assert raised["levelname"] == "WARNING"
    assert fields_of(raised) == known
    assert new["levelname"] == "ERROR"
    assert "ValueError: no such ticket" in new["exc_info"]
    assert fields_of(new) == {**known, "failure_group": FailureGroup.objects.get().pk}


def test_the_second_failure_of_a_cause_is_no_second_error(post, connect, lines):
    connect(ticket_changed, raises)
    post(body())
    post(body())
    assert [line["levelname"] for line in lines()] == ["WARNING", "ERROR", "WARNING"]


def test_an_event_that_failed_for_good_has_its_fields_and_no_receiver(post, connect, lines):
    connect(ticket_changed, gives_up)
    post(body(ContextIdentifier="Cust12345"))
    *_, last = lines()
    assert "failed for good" in last["message"]
    assert fields_of(last) == what_is_known(Event.objects.get())


def test_a_failure_in_a_replay_names_the_replay(post, connect, lines):
    connect(ticket_changed, gives_up)
    post(body())
    lines()
    planned = running.plan(Criteria(), who="rita", reason="tried")
    running.replay(planned)
    assert [line["replay"] for line in lines()] == [planned.pk]


def test_a_call_that_hangs_names_its_receiver(lines, settings):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "CALL_SECONDS": 0}
    calling = Calling()
    calling.begin("helpdesk.receivers.waits")
    Keeper(lambda: [calling], lambda: True).look()
    (line,) = lines()
    assert fields_of(line) == {"receiver": "helpdesk.receivers.waits"}


def test_a_delivery_that_is_refused_names_the_reason_and_the_sender(post, lines):
    post(body(), secret="another one, of somebody else")
    refused, *django = lines()
    assert fields_of(refused) == {
        "endpoint": "default",
        "remote_addr": "127.0.0.1",
        "reason": "signature wrong",
    }
    # What others log of the same request is theirs.
    assert [line["name"] for line in django] == ["django.request"]


def test_a_delivery_that_is_kept_names_the_reason(post, lines):
    post(b"[]")
    (kept,) = lines()
    assert kept["reason"] == "The body is JSON, but not an object."
    assert kept["endpoint"] == "default"


def test_an_error_of_ours_names_the_delivery(post, lines, monkeypatch):
    monkeypatch.setattr(deliveries, "verify", lambda delivery: 1 / 0)
    post(body())
    line = lines()[0]
    assert line["message"] == "A delivery to default could not be taken in"
    assert fields_of(line) == {"endpoint": "default", "remote_addr": "127.0.0.1"}


def test_what_the_unexpected_error_of_a_dispatch_was_about(post, lines, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("superoffice_hooks.dispatching.attempts.History", lambda event: 1 / 0)
        post(documented("seed-ticket.changed"))
    (line,) = lines()
    assert line["event_pk"] == Event.objects.get().pk
    monkeypatch.setattr("superoffice_hooks.dispatching.in_thread.take", lambda *a, **k: 1 / 0)
    hand_over(Event.objects.get())
    (line,) = lines()
    assert line["event_pk"] == Event.objects.get().pk


def test_what_a_receiver_logs_is_the_projects_unless_it_wants_the_fields(post, connect, lines):
    connect(ticket_changed, logs)
    post(body())
    (line,) = lines()
    assert fields_of(line) == {}


def test_nothing_is_left_of_one_event_in_the_records_of_the_next(post, connect, lines):
    connect(ticket_changed, raises)
    first, second = str(uuid4()), str(uuid4())
    post(body(EventId=first))
    lines()
    post(body(EventId=second))
    for _ in dispatch_due(10):
        pass
    assert {line["event_id"] for line in lines()} == {second}
    get_logger("superoffice_hooks.tests").warning("afterwards")
    (line,) = lines()
    assert fields_of(line) == {}


class TestFields:
    def test_they_are_those_that_are_documented(self):
        event = Event(pk=1, name="a", entity="b", primary_key=2, endpoint="c", event_id=uuid4())
        assert set(fields(event=event)) <= set(FIELDS)

    def test_a_column_that_is_not_loaded_is_not_asked_for(self, post, django_assert_num_queries):
        post(body())
        event = queue.events().only("name").get()
        with django_assert_num_queries(0):
            assert fields(event=event) == {"event_name": "ticket.changed", "event_pk": event.pk}

    def test_text_from_outside_stays_on_its_line_and_is_bounded(self):
        assert fields(endpoint="x\nCRITICAL") == {"endpoint": "x\\nCRITICAL"}
        assert len(fields(endpoint="x" * 5000)["endpoint"]) == 300

    def test_a_field_that_the_call_names_counts_more_than_those_around(self, lines):
        with about(endpoint="outer", tenant="Cust1"), about(endpoint="inner"):
            get_logger("superoffice_hooks.tests").warning("in", extra={"tenant": "Cust2"})
        (line,) = lines()
        assert fields_of(line) == {"endpoint": "inner", "tenant": "Cust2"}
