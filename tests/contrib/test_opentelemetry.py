"""Spans, as a real SDK exports them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from superoffice_hooks.contrib.opentelemetry import spans
from superoffice_hooks.models import Event, Rejection
from superoffice_hooks.receivers import around_calls, dotted_path
from superoffice_hooks.receiving import deliveries, spool
from superoffice_hooks.receiving.pausing import pause
from superoffice_hooks.receiving.taking import around_deliveries
from superoffice_hooks.replay import running
from superoffice_hooks.replay.criteria import Criteria
from superoffice_hooks.signals import ticket_changed
from superoffice_hooks.testing import dispatch_due

from ..conftest import URL, body
from .called import gives_up, raises, succeeds, waits

pytestmark = pytest.mark.django_db

PROVIDER = TracerProvider()
TRACER = PROVIDER.get_tracer(__name__)
SENDERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Exported:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self.exporter = exporter

    def named(self, start: str) -> list[ReadableSpan]:
        """Those whose names begin so, in the order in which they ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(start)]

    @property
    def delivery(self) -> ReadableSpan:
        (span,) = self.named("deliver")
        return span

    @property
    def run(self) -> ReadableSpan:
        (span,) = self.named("process")
        return span


@pytest.fixture
def exported() -> Iterator[Exported]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.instrument(provider)
    yield Exported(exporter)
    spans.uninstrument()


PARENTS: list[Any] = []


async def asks_somebody(**kwargs):
    with TRACER.start_as_current_span("ask") as span:
        assert isinstance(span, ReadableSpan)
        PARENTS.append(span.parent)


def is_linked(run: ReadableSpan, delivery: ReadableSpan) -> bool:
    """Whether a span has one link, to another one in a trace of its own."""
    (link,) = run.links
    there = delivery.get_span_context()
    assert there is not None
    same = (link.context.trace_id, link.context.span_id) == (there.trace_id, there.span_id)
    return same and run.get_span_context().trace_id != there.trace_id


def test_a_delivery_and_the_call_of_a_receiver_are_linked(post, connect, exported):
    connect(ticket_changed, succeeds)
    sent = body(ContextIdentifier="Cust12345")
    post(sent)
    event = Event.objects.get()
    delivery, run = exported.delivery, exported.run
    assert is_linked(run, delivery)
    shared = {
        "messaging.system": "superoffice",
        "messaging.destination.name": "ticket.changed",
        "messaging.destination.subscription.name": event.webhook_name,
        "messaging.message.id": str(event.event_id),
        "superoffice.endpoint": "default",
        "superoffice.tenant": "Cust12345",
        "superoffice.record": f"ticket:{event.primary_key}",
    }
    assert delivery.name == "deliver ticket.changed"
    assert delivery.kind == SpanKind.PRODUCER
    assert delivery.status.status_code == StatusCode.UNSET
    assert dict(delivery.attributes) == {
        **shared,
        "messaging.operation.name": "deliver",
        "messaging.operation.type": "send",
        "messaging.message.body.size": len(sent),
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "client.address": "127.0.0.1",
        "superoffice.result": "event",
    }
    path = dotted_path(succeeds)
    assert run.name == "process ticket.changed"
    assert run.kind == SpanKind.CONSUMER
    assert run.status.status_code == StatusCode.UNSET
    assert dict(run.attributes) == {
        **shared,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": path,
        "code.function.name": path,
        "superoffice.attempt": 1,
        "superoffice.outcome": "succeeded",
    }


@pytest.mark.parametrize(
    ("receiver", "outcome", "error"),
    [
        (raises, "failed", "builtins.ValueError"),
        (gives_up, "gave_up", "superoffice_hooks.exceptions.GiveUp"),
    ],
)
def test_a_call_that_raises_is_an_error_with_its_exception(
    post, connect, exported, receiver, outcome, error
):
    connect(ticket_changed, receiver)
    post(body())
    run = exported.run
    assert run.status.status_code == StatusCode.ERROR
    assert run.attributes["superoffice.outcome"] == outcome
    assert run.attributes["error.type"] == error
    (exception,) = run.events
    assert exception.name == "exception"
    assert error.endswith(exception.attributes["exception.type"].rpartition(".")[2])
    assert "Traceback" in exception.attributes["exception.stacktrace"]
    assert exported.delivery.status.status_code == StatusCode.UNSET


def test_a_receiver_that_wants_to_be_called_later_made_no_error(post, connect, exported):
    connect(ticket_changed, waits)
    post(body())
    run = exported.run
    assert run.status.status_code == StatusCode.UNSET
    assert run.attributes["superoffice.outcome"] == "postponed"
    assert "error.type" not in run.attributes


def test_each_attempt_and_each_replay_is_linked_to_the_first_delivery(post, connect, exported):
    connect(ticket_changed, raises)
    post(body())
    with pytest.raises(ValueError, match="no such ticket"):
        dispatch_due(later=timedelta(hours=1))
    planned = running.plan(Criteria(), who="rita", reason="tried")
    Event.objects.update(next_attempt_at=None, status="failed")
    running.replay(planned)
    runs = exported.named("process")
    assert [run.attributes["superoffice.attempt"] for run in runs] == [1, 2, 2]
    assert [run.attributes.get("superoffice.replay") for run in runs] == [None, None, planned.pk]
    assert all(is_linked(run, exported.delivery) for run in runs)


def test_a_redelivery_is_linked_to_the_first_delivery(post, exported):
    sent = body()
    post(sent)
    post(sent)
    first, again = exported.named("deliver")
    assert again.attributes["superoffice.result"] == "redelivery"
    assert is_linked(again, first)


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        ({"secret": "another one, of somebody else"}, 401, "signature wrong"),
        ({"secret": None}, 401, "signature missing"),
        ({"url": f"{URL}made-up/"}, 404, "unknown endpoint"),
    ],
)
def test_a_delivery_that_is_refused_says_the_reason_and_nothing_made_up(
    post, exported, options, status, reason
):
    post(body(), **options)
    delivery = exported.delivery
    assert delivery.name == "deliver"
    assert delivery.attributes["superoffice.result"] == "refused"
    assert delivery.attributes["superoffice.reason"] == reason
    assert delivery.attributes["http.response.status_code"] == status
    # By the conventions for HTTP, only 5xx is an error of a server.
    assert delivery.status.status_code == StatusCode.UNSET
    assert "made-up" not in str(dict(delivery.attributes))


def test_a_delivery_that_is_not_stored_is_an_error(post, exported, monkeypatch):
    monkeypatch.setattr(deliveries, "verify", lambda delivery: 1 / 0)
    assert post(body()).status_code == 503
    delivery = exported.delivery
    assert delivery.status.status_code == StatusCode.ERROR
    assert delivery.attributes["superoffice.result"] == "not_stored"
    assert delivery.attributes["error.type"] == "503"


def test_the_way_through_the_spool_keeps_the_link(post, connect, exported, settings, tmp_path):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "SPOOL_DIR": tmp_path}
    connect(ticket_changed, succeeds)
    pause.begin()
    post(body())
    assert spool.standing().length == 1
    assert exported.delivery.attributes["superoffice.result"] == "spooled"
    pause.end()
    list(deliveries.drain())
    dispatch_due()
    assert is_linked(exported.run, exported.delivery)


def test_a_rejection_that_is_parsed_again_keeps_the_link(rejected, connect, exported):
    connect(ticket_changed, succeeds)
    rejection: Rejection = rejected(body())
    assert exported.delivery.attributes["superoffice.result"] == "rejected"
    deliveries.receive_again(rejection, "rita")
    dispatch_due()
    assert is_linked(exported.run, exported.delivery)


def test_the_span_of_the_request_is_the_parent_of_the_delivery(post, exported):
    with PROVIDER.get_tracer("django").start_as_current_span("POST") as request:
        post(body())
    assert exported.delivery.parent.span_id == request.get_span_context().span_id


def test_what_a_receiver_does_is_below_its_call_also_in_an_event_loop(post, connect, exported):
    connect(ticket_changed, asks_somebody)
    post(body())
    assert PARENTS.pop().span_id == exported.run.get_span_context().span_id


def test_what_a_pruned_event_was_part_of_is_not_known_any_more(post, connect, exported):
    post(body())
    connect(ticket_changed, succeeds)
    Event.objects.update(headers={}, pruned_at=datetime.now(UTC))
    running.replay(running.plan(Criteria(), who="rita", reason="tried"))
    assert list(exported.run.links) == []


@pytest.mark.parametrize("options", [{"settle": 30}, {"batch": 3}])
def test_a_call_for_several_events_is_linked_to_each_delivery(post, connect, exported, options):
    connect(ticket_changed, succeeds, **options)
    for _ in range(3):
        post(body())
    dispatch_due(later=timedelta(minutes=10))
    run = exported.run
    assert run.attributes["messaging.batch.message_count"] == 3
    deliveries = [span.get_span_context().span_id for span in exported.named("deliver")]
    assert [link.context.span_id for link in run.links] == deliveries


class TestContext:
    """What is stored with an event."""

    def test_is_one_short_header_of_our_own(self, post, exported):
        post(body(), headers={"traceparent": SENDERS})
        context = exported.delivery.get_span_context()
        assert Event.objects.get().headers["traceparent"] == (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )

    def test_is_nothing_if_the_trace_is_not_sampled(self, post):
        spans.instrument(TracerProvider(sampler=ALWAYS_OFF))
        post(body())
        spans.uninstrument()
        assert "traceparent" not in Event.objects.get().headers

    def test_is_nothing_unless_it_is_switched_on(self, post):
        assert around_calls == []
        assert around_deliveries == []
        post(body(), headers={"traceparent": SENDERS})
        assert "traceparent" not in Event.objects.get().headers

    def test_that_makes_no_sense_is_no_link(self, post, connect, exported):
        post(body())
        connect(ticket_changed, succeeds)
        for nonsense in ("x" * 500, 7, None):
            Event.objects.update(headers={"traceparent": nonsense})
            exported.exporter.clear()
            running.replay(running.plan(Criteria(), who="rita", reason="tried"))
            assert list(exported.run.links) == []


def test_a_mistake_of_what_watches_loses_no_delivery(post, caplog):
    def stumbles(taken):
        raise OSError("No space left on device")

    around_deliveries.append(stumbles)
    try:
        assert post(body()).status_code == 200
    finally:
        around_deliveries.remove(stumbles)
    assert Event.objects.count() == 1
    assert "raised before a delivery" in caplog.text


ONE_LINE = """
import django
from django.conf import settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
settings.INSTALLED_APPS += ["superoffice_hooks.contrib.opentelemetry"]
settings.DATABASES["default"]["NAME"] = ":memory:"
django.setup()

from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test.utils import setup_test_environment
setup_test_environment()
from tests.conftest import Poster, body
assert Poster()(body()).status_code == 200
"""


@pytest.mark.slow
def test_a_line_in_the_settings_is_all(tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment["TEST_DATABASE_URL"] = "sqlite:///:memory:"
    result = subprocess.run(
        [sys.executable, "-c", ONE_LINE],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert '"name": "deliver ticket.changed"' in result.stdout
