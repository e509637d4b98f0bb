"""Deliver events to a project in its tests."""

import json
from collections.abc import Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.urls import get_script_prefix
from django.utils import timezone

from .. import conf, dispatcher
from ..models import Event, Rejection, queue
from ..receiving import deliveries
from ..receiving.own_urls import path_of
from ..wire.notification import Delivery
from ..wire.samples import headers, notification
from .calls import raised

_IDLE_SECONDS = 30.0
"""How long to wait for receivers that are still running."""


def deliver(
    client: Client,
    name: str = "ticket.changed",
    *,
    changes: Iterable[str] | None = None,
    endpoint: str = conf.DEFAULT_ENDPOINT,
    raises: bool = True,
    **values: Any,
) -> Event:
    """Deliver an event as SuperOffice does, let its receivers be called, and return it.

    ::

        event = deliver(self.client, "ticket.changed", changes=["priority"], PrimaryKey=76)
        self.assertEqual(event.status, "succeeded")

    Args:
        client: Django's test client.
        name: the event name.
        changes: the names of the changed fields; None for those that SuperOffice would send.
        endpoint: the endpoint to post to, with its newest secret.
        raises: whether to raise what a receiver raised. Without it, the error is only in the runs.
        values: keys of the body, spelt as SuperOffice spells them: ``PrimaryKey=76``.

    Raises:
        AssertionError: the delivery was refused; the message says why.
        Exception: the first error of a receiver, if ``raises``.
    """
    body, sent = _written(name, changes, _secret(endpoint), values)
    with raised() as errors:
        answer = client.generic("POST", _path(endpoint), body, sent["Content-Type"], headers=sent)
        return _outcome(answer.status_code, body, endpoint, errors if raises else [])


async def adeliver(
    client: AsyncClient,
    name: str = "ticket.changed",
    *,
    changes: Iterable[str] | None = None,
    endpoint: str = conf.DEFAULT_ENDPOINT,
    raises: bool = True,
    **values: Any,
) -> Event:
    """Do what ``deliver`` does with Django's asynchronous test client."""
    body, sent = _written(name, changes, _secret(endpoint), values)
    with raised() as errors:
        path = _path(endpoint)
        answer = await client.generic("POST", path, body, sent["Content-Type"], headers=sent)
        concluded = errors if raises else []
        return await sync_to_async(_outcome)(answer.status_code, body, endpoint, concluded)


def event(
    name: str = "ticket.changed", *, changes: Iterable[str] | None = None, **values: Any
) -> Event:
    """Store an event for which no receiver is called, for a unit test of a receiver.

    ::

        escalate(sender=Event, event=event(PrimaryKey=76), changes=("priority",))

    Its status is ``skipped``, so nothing dispatches it later. The arguments are those of
    ``deliver``.
    """
    body, sent = _written(name, changes, "", values)
    now = timezone.now()
    delivery = Delivery(
        endpoint=conf.DEFAULT_ENDPOINT,
        body=body,
        headers=sent,
        remote_addr="127.0.0.1",
        received_at=now,
        signed=True,
    )
    skipped = {"status": Event.Status.SKIPPED, "next_attempt_at": None, "finished_at": now}
    deliveries.record(delivery, skipped)
    return _stored(body, conf.DEFAULT_ENDPOINT)


def _written(
    name: str, changes: Iterable[str] | None, secret: str, values: dict[str, Any]
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a delivery."""
    if changes is not None:
        values = {**values, "Changes": list(changes)}
    written = notification(name, **values)
    body = json.dumps(written).encode()
    return body, headers(written, body, secret)


def _secret(endpoint: str) -> str:
    return conf.current().secrets_of(endpoint)[0]


def _path(endpoint: str) -> str:
    # A test client sends a path as a server passes it on: without FORCE_SCRIPT_NAME.
    return f"/{path_of(endpoint).removeprefix(get_script_prefix())}"


def _outcome(status: int, body: bytes, endpoint: str, errors: list[BaseException]) -> Event:
    """Return the event that was stored, once its receivers have been called."""
    if status != 200:
        refused = Rejection.objects.order_by("pk").last()
        reason = f": {refused.reason}" if refused else ""
        raise AssertionError(f"The delivery was answered {status}{reason}")
    if not dispatcher.wait_until_idle(_IDLE_SECONDS):
        raise TimeoutError(f"Receivers are still running after {_IDLE_SECONDS:g} seconds.")
    if errors:
        raise errors[0]
    return _stored(body, endpoint)


def _stored(body: bytes, endpoint: str) -> Event:
    written = json.loads(body)
    identity = {"event_id": written["EventId"], "name": written["Event"], "endpoint": endpoint}
    return queue.events().get(**identity)
