"""A sender of deliveries that behaves as SuperOffice does."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from ..wire import event_names
from ..wire.samples import announced, headers, notification

RETRY_DELAYS = (0, 1, 4)
"""Seconds that SuperOffice waits before the first, second and third attempt."""

MAX_ERRORS = 9
"""The number of failed attempts in a row that end a webhook."""

_CONNECTIONS: Mapping[str, type[HTTPConnection]] = {
    "http": HTTPConnection,
    "https": HTTPSConnection,
}


class State(StrEnum):
    """The state of a webhook in SuperOffice. It sends only to active ones."""

    ACTIVE = "Active"
    STOPPED = "Stopped"
    TOO_MANY_ERRORS = "TooManyErrors"


@dataclass(slots=True, kw_only=True, eq=False)
class Webhook:
    """A webhook, as an administrator defines it in SuperOffice.

    Raises:
        ValueError: ``url`` is no http or https address.
    """

    url: str
    secret: str = ""
    """Without a secret nothing is signed."""
    name: str = "Name you provided"
    events: Sequence[str] = ("*",)
    """Names or patterns of the events that are sent to it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent along with every delivery."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Added to every body."""
    state: State = State.ACTIVE
    errors: int = 0
    """The number of attempts that have failed since the last success."""

    def __post_init__(self) -> None:
        target = urlsplit(self.url)
        if target.scheme not in _CONNECTIONS or not target.hostname or target.port == 0:
            raise ValueError(f"{self.url!r} is no http or https address.")

    def listens_to(self, name: str) -> bool:
        """Return whether one of its ``events`` matches."""
        return any(event_names.pattern(event).fullmatch(name.lower()) for event in self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST, and its result."""

    webhook: str
    """The webhook's name."""
    event: str
    """The event's name in the header."""
    event_id: str
    """The EventId in the body; empty if it has none."""
    retry: int
    """The number of earlier attempts of the same delivery."""
    body: bytes
    status: int | None
    """The answer's status code; None if there was no answer."""
    elapsed: float
    """Seconds until the end of the answer, or until the attempt ended without one."""
    error: str = ""
    """The reason if there was no answer."""

    @property
    def succeeded(self) -> bool:
        """Return whether the status is 200, the only one that is documented as a success."""
        return self.status == 200


class NotSaved(Exception):
    """SuperOffice refuses to save a webhook whose test event was not answered with 200."""

    def __init__(self, attempt: Attempt) -> None:
        answer = f"answered with {attempt.status}" if attempt.status else f"lost ({attempt.error})"
        super().__init__(f"The test event of webhook {attempt.webhook!r} was {answer}.")
        self.attempt = attempt


class SuperOffice:
    """The sender. Several threads may use it at once.

    Args:
        sleep: called with the seconds before a retry; tests need not really wait.
        timeout: seconds of silence after which an attempt has failed.
        delays: seconds to wait before each attempt of a delivery; ``(0,)`` never retries.
        counts: what the nine failures are that end a webhook. SuperOffice's documentation says
            attempts in one place and events in another.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], object] = time.sleep,
        timeout: float = 10,
        delays: Sequence[float] = RETRY_DELAYS,
        counts: Literal["attempts", "events"] = "attempts",
    ) -> None:
        self._sleep = sleep
        self._timeout = timeout
        self._delays = delays
        self._counts = counts
        self._webhooks: list[Webhook] = []
        self._lock = threading.Lock()
        self._attempts = itertools.count()

    def save(self, webhook: Webhook) -> Attempt:
        """Save a new or changed webhook and make it active, if its test event is answered.

        Raises:
            NotSaved: it was not answered with 200.
        """
        attempt = self.attempt(webhook, notification(event_names.TEST))
        if not attempt.succeeded:
            raise NotSaved(attempt)
        with self._lock:
            webhook.state = State.ACTIVE
            if webhook not in self._webhooks:
                self._webhooks.append(webhook)
        return attempt

    def send(self, event: Mapping[str, Any]) -> list[Attempt]:
        """Deliver an event to each saved webhook whose ``events`` match, one after the other."""
        name = announced(event)
        webhooks = [webhook for webhook in list(self._webhooks) if webhook.listens_to(name)]
        return [attempt for webhook in webhooks for attempt in self.deliver(webhook, event)]

    def deliver(self, webhook: Webhook, event: Mapping[str, Any] | bytes) -> list[Attempt]:
        """Send an event until an attempt succeeds, no retry is left, or the webhook ends.

        ``bytes`` are sent as they are. Nothing is sent if the webhook is not active.
        """
        attempts: list[Attempt] = []
        for retry, delay in enumerate(self._delays):
            if webhook.state != State.ACTIVE or (attempts and attempts[-1].succeeded):
                break
            if delay:
                self._sleep(delay)
            attempts.append(self.attempt(webhook, event, retry=retry))
        if self._counts == "events" and attempts and not attempts[-1].succeeded:
            self._count(webhook, attempts[-1].status)
        return attempts

    def attempt(
        self, webhook: Webhook, event: Mapping[str, Any] | bytes, *, retry: int = 0
    ) -> Attempt:
        """Send one POST, in any state of the webhook, and count its result."""
        body, event = _written(webhook, event)
        sent = headers(event, body, webhook.secret, retry, titled=next(self._attempts) % 2 == 1)
        started = time.perf_counter()
        status, error = self._post(webhook.url, body, {**sent, **webhook.headers})
        elapsed = time.perf_counter() - started
        if self._counts == "attempts" or status in (200, 410):
            self._count(webhook, status)
        return Attempt(
            webhook=webhook.name,
            event=announced(event),
            event_id=str(event.get("EventId") or ""),
            retry=retry,
            body=body,
            status=status,
            elapsed=elapsed,
            error=error,
        )

    def _post(self, url: str, body: bytes, sent: dict[str, str]) -> tuple[int | None, str]:
        """Return the answer's status, or None and the reason. Redirects are not followed."""
        target = urlsplit(url)
        path = urlunsplit(("", "", target.path or "/", target.query, ""))
        try:
            connect = _CONNECTIONS[target.scheme]
            port = target.port or connect.default_port
            with closing(connect(target.hostname or "", port, timeout=self._timeout)) as connection:
                connection.request("POST", path, body, sent)
                response = connection.getresponse()
                response.read()
                return response.status, ""
        # A UnicodeError is raised for a host name or a path that cannot be sent.
        except (OSError, HTTPException, UnicodeError) as error:
            return None, str(error) or type(error).__name__

    def _count(self, webhook: Webhook, status: int | None) -> None:
        with self._lock:
            webhook.errors = 0 if status == 200 else webhook.errors + 1
            if status == 410 or webhook.errors >= MAX_ERRORS:
                webhook.state = State.TOO_MANY_ERRORS


def _written(webhook: Webhook, event: Mapping[str, Any] | bytes) -> tuple[bytes, Mapping[str, Any]]:
    """Return the body to send to a webhook, and its JSON object."""
    if not isinstance(event, bytes):
        event = {**event, "WebhookName": webhook.name, **webhook.properties}
        return json.dumps(event, ensure_ascii=False).encode(), event
    with suppress(ValueError, RecursionError):
        said = json.loads(event)
        if isinstance(said, dict):
            return event, said
    return event, {}
