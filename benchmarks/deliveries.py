"""Deliveries of ticket.changed with its 47 fields, signed before any clock runs."""

import json
import random
from io import BytesIO
from typing import Any

from superoffice_hooks.wire.samples import headers, notification

from . import SECRET


def body() -> bytes:
    """A body without white space, as .NET writes it."""
    event = notification("ticket.changed", PrimaryKey=random.randrange(1, 200_000))
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def signed() -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    sent = body()
    return sent, headers(json.loads(sent), sent, SECRET)


def environs(path: str, count: int) -> list[dict[str, Any]]:
    """Requests as a WSGI server hands them over."""
    return [environ(path, *signed()) for _ in range(count)]


def requests(path: str, count: int, *, keep_alive: bool = True) -> list[bytes]:
    """Requests as they go over the wire."""
    return [_request(path, *signed(), keep_alive=keep_alive) for _ in range(count)]


def environ(path: str, sent: bytes, named: dict[str, str]) -> dict[str, Any]:
    """A request as a WSGI server hands it over."""
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in named.items()}
    return {
        **fields,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": named["Content-Type"],
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(sent),
    }


def _request(path: str, sent: bytes, named: dict[str, str], *, keep_alive: bool) -> bytes:
    connection = "keep-alive" if keep_alive else "close"
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Length: {len(sent)}",
        f"Connection: {connection}",
        *(f"{name}: {value}" for name, value in named.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + sent
