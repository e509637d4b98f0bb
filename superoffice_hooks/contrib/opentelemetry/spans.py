"""The spans, with attributes from the semantic conventions for messaging and HTTP.

A delivery puts a message into our queue, and calls of receivers process it, perhaps days later. So
the span of a call is linked to that of the delivery, as the conventions want it; it is no child of
it. The context of the delivery is stored among the headers of its event.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ... import __version__
from ...models import Event, ReceiverRun, queue
from ...receivers import Receiver, around_calls
from ...receiving.taking import Result, Taking, around_deliveries
from ...wire.log_fields import noted
from ...wire.notification import TRACEPARENT

_W3C = TraceContextTextMapPropagator()

_MAX_LINKS = 128
"""By default, an SDK keeps no more links of a span."""

_tracer: trace.Tracer = trace.NoOpTracer()


def instrument(tracer_provider: trace.TracerProvider | None = None) -> None:
    """Make spans from now on, with this provider; None for the provider of the process."""
    global _tracer  # noqa: PLW0603  (one per process)
    _tracer = trace.get_tracer("superoffice_hooks", __version__, tracer_provider)
    if _delivery not in around_deliveries:
        around_deliveries.append(_delivery)
    if _run not in around_calls:
        around_calls.append(_run)


def uninstrument() -> None:
    """Make no more spans."""
    if _delivery in around_deliveries:
        around_deliveries.remove(_delivery)
    if _run in around_calls:
        around_calls.remove(_run)


@contextmanager
def _delivery(taken: Taking) -> Iterator[None]:
    """Make the span of a delivery, and store its context with the event.

    A delivery that comes out of the spool had its span when it arrived.
    """
    if taken.is_spooled:
        yield
        return
    attributes = {"messaging.system": "superoffice", "http.request.method": "POST"}
    attributes |= {"messaging.operation.name": "deliver", "messaging.operation.type": "send"}
    # The name of the event is not known yet, and anybody can invent a URL.
    with _tracer.start_as_current_span(
        "deliver", kind=SpanKind.PRODUCER, attributes=attributes
    ) as span:
        if span.get_span_context().trace_flags.sampled:
            carrier = dict[str, str]()
            _W3C.inject(carrier)
            taken.traceparent = carrier.get(TRACEPARENT, "")
        yield
        _describe(span, taken)


def _describe(span: Span, taken: Taking) -> None:
    """Add the result of a delivery to its span."""
    event = taken.event
    _set(
        span,
        {
            "http.response.status_code": taken.status_code,
            "client.address": taken.remote_addr,
            "messaging.message.body.size": taken.size,
            "superoffice.result": str(taken.result),
            "superoffice.reason": taken.reason,
        },
    )
    if event is not None:
        span.update_name(f"deliver {event.name}")
        _set(span, _attributes(event))
        if taken.result == Result.REDELIVERY:
            for link in _links([event.headers]):
                span.add_link(link.context)
    elif taken.reason != "unknown endpoint":
        _set(span, {"superoffice.endpoint": taken.endpoint})
    if taken.status_code >= 500:
        _set(span, {"error.type": taken.reason or str(taken.status_code)})
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _run(receiver: Receiver, event: Event) -> Iterator[None]:
    """Make the span of a call, linked to the first delivery of each of its events."""
    events: Sequence[Event] | None = noted("events")
    attributes = {
        **_attributes(event),
        "messaging.system": "superoffice",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": receiver.path,
        "code.function.name": receiver.path,
        "messaging.batch.message_count": None if events is None else len(events),
        "superoffice.attempt": event.attempts,
        "superoffice.replay": noted("replay"),
    }
    with _tracer.start_as_current_span(
        f"process {event.name}",
        kind=SpanKind.CONSUMER,
        links=_links([event.headers] if events is None else _headers(events)),
        attributes={name: value for name, value in attributes.items() if value not in (None, "")},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            _fail(span, error)
            raise
        span.set_attribute("superoffice.outcome", ReceiverRun.Outcome.SUCCEEDED.value)


def _fail(span: Span, error: BaseException) -> None:
    """Add to its span what a receiver raised. A call that is postponed is no error."""
    outcome = ReceiverRun.Outcome.of(error)
    span.set_attribute("superoffice.outcome", outcome.value)
    span.record_exception(error)
    if outcome != ReceiverRun.Outcome.POSTPONED:
        kind = type(error)
        span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
        span.set_status(Status(StatusCode.ERROR, kind.__qualname__))


def _attributes(event: Event) -> dict[str, Any]:
    """Return the attributes of the message that an event is."""
    number = event.primary_key
    return {
        "messaging.destination.name": event.name,
        "messaging.destination.subscription.name": event.webhook_name,
        "messaging.message.id": str(event.event_id),
        "superoffice.endpoint": event.endpoint,
        "superoffice.tenant": event.tenant,
        "superoffice.record": "" if number is None else f"{event.entity}:{number}",
    }


def _headers(events: Sequence[Event]) -> Iterable[dict[str, Any]]:
    """Read the headers of the last of these events, up to _MAX_LINKS, in one query."""
    keys = getattr(events, "keys", None) or [event.pk for event in events]
    stored = queue.events().filter(pk__in=list(keys[-_MAX_LINKS:])).order_by("pk")
    return stored.values_list("headers", flat=True)


def _links(headers: Iterable[dict[str, Any]]) -> list[Link]:
    """Return links to the deliveries with these headers, without those that have no context."""
    links = []
    for kept in headers:
        carrier = {TRACEPARENT: str(kept.get(TRACEPARENT, ""))}
        context = trace.get_current_span(_W3C.extract(carrier)).get_span_context()
        if context.is_valid:
            links.append(Link(context))
    return links


def _set(span: Span, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if value not in (None, ""):
            span.set_attribute(name, value)
