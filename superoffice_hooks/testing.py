"""SuperOffice's part, for tests: bodies as it writes them, and a sender that behaves as it does.

::

    superoffice = SuperOffice(sleep=lambda seconds: None)
    superoffice.save(Webhook(url=f"{live_server.url}/superoffice/webhook/", secret=SECRET))
    (attempt,) = superoffice.send(notification("ticket.changed", PrimaryKey=42))
    assert attempt.succeeded

``notification`` alone is enough for a test that posts with Django's test client; ``signature.sign``
makes the X-SuperOffice-Signature that goes with it.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from . import vocabulary
from .samples import announced, headers, notification

__all__ = ["Attempt", "NotSaved", "State", "SuperOffice", "Webhook", "notification"]

RETRY_DELAYS = (0, 1, 4)
"""Seconds SuperOffice waits before each attempt of a cycle."""

MOST_ERRORS = 9
"""How many failed attempts in a row end a webhook."""

_CONNECTIONS: Mapping[str, type[HTTPConnection]] = {
    "http": HTTPConnection,
    "https": HTTPSConnection,
}


class State(StrEnum):
    """What SuperOffice thinks of a webhook. Only an active one is sent anything."""

    ACTIVE = "Active"
    STOPPED = "Stopped"
    TOO_MANY_ERRORS = "TooManyErrors"


@dataclass(slots=True, kw_only=True, eq=False)
class Webhook:
    """The subscription, as an administrator of SuperOffice defines it.

    Raises:
        ValueError: ``url`` is no http or https address.
    """

    url: str
    secret: str = ""
    """Without a secret nothing is signed."""
    name: str = "Name you provided"
    events: Sequence[str] = ("*",)
    """Names or patterns of the events it listens to."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent along with every delivery."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Added to every body."""
    state: State = State.ACTIVE
    errors: int = 0
    """Attempts that failed since the last one that did not."""

    def __post_init__(self) -> None:
        target = urlsplit(self.url)
        if target.scheme not in _CONNECTIONS or not target.hostname or target.port == 0:
            raise ValueError(f"{self.url!r} is no http or https address.")

    def listens_to(self, name: str) -> bool:
        """Whether one of its ``events`` matches."""
        return any(vocabulary.pattern(event).fullmatch(name.lower()) for event in self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST, and what came of it."""

    webhook: str
    """The webhook's name."""
    event: str
    """The event's name in the header."""
    event_id: str
    """As the body has it; empty if it has none."""
    retry: int
    """How many attempts of the same delivery went before."""
    body: bytes
    status: int | None
    """The answer's status code; None if there was no answer."""
    elapsed: float
    """Seconds until the whole answer was there, or was given up."""
    error: str = ""
    """Why there was no answer."""

    @property
    def succeeded(self) -> bool:
        """Whether SuperOffice is content; 200 is the only status documented to do that."""
        return self.status == 200


class NotSaved(Exception):
    """SuperOffice refuses to save a webhook whose test event was not answered with 200."""

    def __init__(self, attempt: Attempt) -> None:
        answer = f"answered with {attempt.status}" if attempt.status else f"lost ({attempt.error})"
        super().__init__(f"The test event of webhook {attempt.webhook!r} was {answer}.")
        self.attempt = attempt


class SuperOffice:
    """The sender. May be used from several threads at once.

    Args:
        sleep: called with seconds before a retry; a test passes something faster.
        timeout: seconds of silence after which an attempt has failed.
        delays: seconds to wait before each attempt of a cycle; ``(0,)`` never retries.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], object] = time.sleep,
        timeout: float = 10,
        delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._sleep = sleep
        self._timeout = timeout
        self._delays = delays
        self._webhooks: list[Webhook] = []
        self._lock = threading.Lock()
        self._attempts = itertools.count()

    def save(self, webhook: Webhook) -> Attempt:
        """Save a new or changed webhook, once its test event is answered; sets it (back) to Active.

        Raises:
            NotSaved: it was not answered with 200.
        """
        attempt = self.attempt(webhook, notification(vocabulary.TEST))
        if not attempt.succeeded:
            raise NotSaved(attempt)
        with self._lock:
            webhook.state = State.ACTIVE
            if webhook not in self._webhooks:
                self._webhooks.append(webhook)
        return attempt

    def send(self, event: Mapping[str, Any]) -> list[Attempt]:
        """Deliver an event to every saved webhook that listens to it, one after the other."""
        name = announced(event)
        listening = [webhook for webhook in list(self._webhooks) if webhook.listens_to(name)]
        return [attempt for webhook in listening for attempt in self.deliver(webhook, event)]

    def deliver(self, webhook: Webhook, event: Mapping[str, Any] | bytes) -> list[Attempt]:
        """One cycle: attempts until one succeeds, the webhook is ended, or the event discarded.

        ``bytes`` are sent as they are. No attempts if the webhook is not active.
        """
        attempts: list[Attempt] = []
        for retry, delay in enumerate(self._delays):
            if webhook.state != State.ACTIVE or (attempts and attempts[-1].succeeded):
                break
            if delay:
                self._sleep(delay)
            attempts.append(self.attempt(webhook, event, retry=retry))
        return attempts

    def attempt(
        self, webhook: Webhook, event: Mapping[str, Any] | bytes, *, retry: int = 0
    ) -> Attempt:
        """One POST, whatever the webhook's state; its outcome counts."""
        body, event = _written(webhook, event)
        sent = headers(event, body, webhook.secret, retry, titled=next(self._attempts) % 2 == 1)
        started = time.perf_counter()
        status, error = self._post(webhook.url, body, {**sent, **webhook.headers})
        elapsed = time.perf_counter() - started
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
        """The answer's status, or None and why there is none. Redirects are not followed."""
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
        # UnicodeError: a host name or path that cannot be sent.
        except (OSError, HTTPException, UnicodeError) as error:
            return None, str(error) or type(error).__name__

    def _count(self, webhook: Webhook, status: int | None) -> None:
        with self._lock:
            webhook.errors = 0 if status == 200 else webhook.errors + 1
            if status == 410:
                webhook.state = State.STOPPED
            elif webhook.errors >= MOST_ERRORS:
                webhook.state = State.TOO_MANY_ERRORS


def _written(webhook: Webhook, event: Mapping[str, Any] | bytes) -> tuple[bytes, Mapping[str, Any]]:
    """The body to send to a webhook, and what it says."""
    if not isinstance(event, bytes):
        event = {**event, "WebhookName": webhook.name, **webhook.properties}
        return json.dumps(event, ensure_ascii=False).encode(), event
    with suppress(ValueError, RecursionError):
        said = json.loads(event)
        if isinstance(said, dict):
            return event, said
    return event, {}
