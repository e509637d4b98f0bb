"""The door in front of an ASGI application.

Under ASGI, Django gives each request a thread of its own, and with it a new connection to the
database. The door has some threads that stay, and so do their connections.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextvars import copy_context
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.signals import request_started
from django.db import connections
from django.http import HttpResponse
from django.urls import ResolverMatch, set_script_prefix

from .. import conf
from .answering import Unread, Webhook

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_KEEP_SECONDS = 60.0
"""For how long after a delivery a connection is used again, if CONN_MAX_AGE does not say more."""


class ASGIDoor:
    """An ASGI application that answers the webhook, and hands the rest to another one."""

    def __init__(self, application: Callable[..., Awaitable[None]], threads: Executor) -> None:
        self._application = application
        self._webhook = Webhook()
        self._threads = threads

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        match = self._match(scope) if scope["type"] == "http" else None
        if match is None:
            await self._application(scope, receive, send)
            return
        body = await _body(receive, conf.current().MAX_BODY_BYTES + 1)
        if body is None:
            return
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(
            self._threads, copy_context().run, self._answer, scope, body, match
        )
        headers = [(name.encode(), value.encode("latin-1")) for name, value in response.items()]
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": response.content})

    def _match(self, scope: dict[str, Any]) -> ResolverMatch | None:
        path: str = scope["path"]
        return self._webhook.at(path.removeprefix(get_script_prefix(scope)))

    def _answer(self, scope: dict[str, Any], body: bytes, match: ResolverMatch) -> HttpResponse:
        """Return the answer; all that concerns the database is done in this thread."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=type(self), scope=scope)
        # Of the query string nothing is needed, and Django fails if it is not UTF-8.
        request = Request({**scope, "query_string": b""}, BytesIO(body))
        response = self._webhook.answer(request, match, type(self))
        _keep_connections()
        # Sends request_finished.
        response.close()
        return response


class Request(Unread, ASGIRequest):
    """A request of an ASGI server."""


async def _body(receive: Receive, limit: int) -> bytes | None:
    """Return the body, or its first ``limit`` bytes; None if the sender is gone.

    It is received to its end: an answer before that may not reach the sender.
    """
    parts: list[bytes] = []
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")[:limit]
        limit -= len(part)
        parts.append(part)
        is_more = message.get("more_body", False)
    return b"".join(parts)


def _keep_connections() -> None:
    """Let the connections of this thread serve its next delivery.

    Projects on ASGI have CONN_MAX_AGE = 0, since their requests share no thread. Those of a pool go
    back to it.
    """
    until = time.monotonic() + _KEEP_SECONDS
    for connection in connections.all(initialized_only=True):
        is_pooled = connection.settings_dict["OPTIONS"].get("pool")
        if not is_pooled and connection.close_at is not None:
            connection.close_at = max(connection.close_at, until)
