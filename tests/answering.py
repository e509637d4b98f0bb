"""A server that answers what a test wants, and keeps what it was sent."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    """Spelt as they were sent."""
    body: bytes

    @property
    def payload(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return {key.lower(): value for key, value in self.headers.items()}.get(name.lower())


@dataclass
class Answering:
    url: str
    statuses: list[int]
    requests: list[Request] = field(default_factory=list)

    def answer_to(self, request: Request) -> int:
        """The next status; the last one for ever."""
        self.requests.append(request)
        return self.statuses[min(len(self.requests), len(self.statuses)) - 1]


class Server(ThreadingHTTPServer):
    # With the usual 5, many senders at once wait a second for another try.
    request_queue_size = 128


@contextmanager
def answering(*statuses: int, location: str = "") -> Iterator[Answering]:
    """A server that gives these answers in turn, and the last one from then on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = there.answer_to(Request(self.path, dict(self.headers.items()), body))
            self.send_response(status)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with Server(("127.0.0.1", 0), Handler) as server:
        there = Answering(f"http://127.0.0.1:{server.server_port}/hook", list(statuses))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()
