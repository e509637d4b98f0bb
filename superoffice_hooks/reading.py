"""Reading the body of a request, however it was transferred.

SuperOffice may send its bodies in chunks (NetServer is .NET, whose ``JsonContent`` does). Then
there is no Content-Length, and Django reads nothing under WSGI, because PEP 3333 knows no other way
to see where a body ends. Many servers decode the chunks and end ``wsgi.input`` where the body ends;
they say so with ``wsgi.input_terminated``.
"""

from collections.abc import Callable

from django.http import HttpRequest

from .exceptions import BodyAlreadyRead, BodyNotReadable


def read_body(request: HttpRequest, most: int) -> bytes:
    """Return the body, or its first ``most`` bytes.

    Raises:
        BodyNotReadable: the server does not hand over a chunked body, or the body ended too early.
        BodyAlreadyRead: a middleware read the stream and did not keep what it read.
    """
    if "wsgi.input" in request.META and _is_chunked(request):
        return _read_chunked(request, most)
    if hasattr(request, "_body"):
        # A middleware read request.body, and Django kept it; the stream may be used up.
        return request.body[:most]
    if getattr(request, "_read_started", False):
        raise BodyAlreadyRead
    body = _read(request.read, most)
    if len(body) < min(most, _announced(request) or 0):
        raise BodyNotReadable
    return body


def _is_chunked(request: HttpRequest) -> bool:
    """Whether only the body itself says where it ends."""
    if _announced(request) is not None:
        return False
    terminated = request.META.get("wsgi.input_terminated")
    return bool(terminated) or "HTTP_TRANSFER_ENCODING" in request.META


def _read_chunked(request: HttpRequest, most: int) -> bytes:
    # Anything else may wait for ever for a body that has no end.
    if not request.META.get("wsgi.input_terminated"):
        raise BodyNotReadable
    body = _read(request.META["wsgi.input"].read, most)
    if not body and "HTTP_TRANSFER_ENCODING" in request.META:
        raise BodyNotReadable
    return body


def _announced(request: HttpRequest) -> int | None:
    """Return the Content-Length; None if there is none."""
    text = str(request.META.get("CONTENT_LENGTH") or "")
    return int(text) if text.isascii() and text.isdigit() else None


def _read(read: Callable[[int], bytes], most: int) -> bytes:
    """Read until the end; a stream may give less at a time than it has."""
    parts = []
    try:
        while most > 0 and (part := read(most)):
            parts.append(part)
            most -= len(part)
    # The sender is gone, or its chunks are no chunks.
    except OSError as error:
        raise BodyNotReadable from error
    return b"".join(parts)
