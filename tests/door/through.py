"""Clients whose requests go through the door, as a server hands them over."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler, get_path_info
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.client import ClientHandler

from superoffice_hooks.door import door
from superoffice_hooks.door.asgi import ASGIDoor


class WSGIClient(Client):
    """A client of ``door(get_wsgi_application())``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.handler: Any = _WSGI()


class ASGIClient(Client):
    """A client of ``door(get_asgi_application())``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.handler: Any = _ASGI()


class _WSGI(ClientHandler):
    def get_response(self, request: HttpRequest) -> HttpResponse:
        return over_wsgi(door(WSGIHandler()), _unread(request))


class _ASGI(ClientHandler):
    def get_response(self, request: HttpRequest) -> HttpResponse:
        environ = _unread(request)
        return over_asgi(ASGIHandler(), scope_of(environ), [environ["wsgi.input"].read()])


def _unread(request: HttpRequest) -> dict[str, Any]:
    """The environment as it was before Django made a request of it, and decoded the path."""
    path = request.META["PATH_INFO"].encode().decode("latin-1")
    return {**request.META, "PATH_INFO": path}


@contextmanager
def connections_kept() -> Iterator[None]:
    """Keep the test's connection open at the end of a request, as Django's own client does."""
    signals = request_started, request_finished
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


def over_wsgi(application: Any, environ: dict[str, Any]) -> HttpResponse:
    """What a WSGI server would send."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    with connections_kept():
        body = application(environ, lambda *start: begun.append(start))
        content = b"".join(body)
        if hasattr(body, "close"):
            body.close()
    ((status, headers),) = begun
    return _response(int(status.split()[0]), headers, content)


def over_asgi(application: Any, scope: dict[str, Any], parts: list[bytes | None]) -> HttpResponse:
    """What an ASGI server would send; None among the parts of the body is a sender that is gone."""
    sent = messages(application, scope, parts)
    start, *bodies = sent
    headers = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
    return _response(start["status"], headers, b"".join(part["body"] for part in bodies))


def messages(
    application: Any, scope: dict[str, Any], parts: list[bytes | None]
) -> list[dict[str, Any]]:
    """All messages that the door sends."""
    waiting = [_received(part, is_last=n == len(parts)) for n, part in enumerate(parts, 1)]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            # A server says nothing more while the sender waits.
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    work = InThisThread()
    with connections_kept():
        work.run(lambda: asyncio.run(ASGIDoor(application, work)(scope, receive, send)))
    return sent


def scope_of(environ: dict[str, Any], **values: Any) -> dict[str, Any]:
    """What an ASGI server would make of the request."""
    named = {
        key.removeprefix("HTTP_").replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_") or key in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": get_path_info(environ),
        "query_string": b"",
        "headers": [(name.encode(), str(value).encode("latin-1")) for name, value in named.items()],
        "client": (environ["REMOTE_ADDR"], 50_000),
        "server": ("testserver", 80),
        **values,
    }


def _received(part: bytes | None, *, is_last: bool) -> dict[str, Any]:
    if part is None:
        return {"type": "http.disconnect"}
    return {"type": "http.request", "body": part, "more_body": not is_last}


def _response(status: int, headers: list[tuple[str, str]], content: bytes) -> HttpResponse:
    response = HttpResponse(content, status=status)
    del response.headers["Content-Type"]
    for name, value in headers:
        response.headers[name] = value
    return response


class InThisThread(Executor):
    """Does the work of others in the thread of a test, which has the test's transaction."""

    def __init__(self) -> None:
        self._work = SimpleQueue[Callable[[], object] | None]()

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()

        def work() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._work.put(work)
        return future

    def run(self, function: Callable[[], object]) -> None:
        """Run a function in a thread of its own, and here what it submits."""
        ended = Future[object]()

        def run() -> None:
            try:
                ended.set_result(function())
            except BaseException as error:
                ended.set_exception(error)
            self._work.put(None)

        thread = threading.Thread(target=run)
        thread.start()
        while work := self._work.get():
            work()
        thread.join()
        ended.result()


CLIENTS: dict[str, Callable[..., Client]] = {
    "view": Client,
    "door, WSGI": WSGIClient,
    "door, ASGI": ASGIClient,
}
"""The ways to the webhook view."""
