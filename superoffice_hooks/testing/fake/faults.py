"""Requests and answers of the fake, and the faults that a test sets."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that the fake received."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    """By name in lower case."""
    body: bytes = field(repr=False)
    host: int = 0
    """The number of the fake's host that received it."""

    @property
    def json(self) -> Any:
        """Return the body as JSON; None if it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(slots=True)
class Reply:
    """An answer of the fake."""

    status: int = 200
    body: Any = None
    """Bytes are sent as they are, all else as JSON; None means no content."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """Return the bytes of the body."""
        if self.body is None and self.status == 204:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def error(status: int, kind: str, message: str) -> Reply:
    """Return an error as SuperOffice writes it."""
    source = "SuperOffice.Services.Implementation"
    body = {"Error": True, "ErrorType": kind, "ErrorMessage": message, "ErrorSource": source}
    return Reply(status, body)


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault in the answer to the next requests that match.

    Args:
        path: a regular expression for "METHOD /path".
        times: how many requests.
        reply: the answer instead of the true one.
        cut: cut the connection ``"before"`` the request is carried out, or ``"after"``.
        seconds: how long the answer takes.
    """

    path: str = ""
    times: int = 1
    reply: Reply | None = None
    cut: Literal["before", "after"] | None = None
    seconds: float = 0

    def matches(self, request: Request) -> bool:
        """Return whether this request is to go wrong."""
        line = f"{request.method} {request.path}"
        return self.times > 0 and re.search(self.path, line) is not None
