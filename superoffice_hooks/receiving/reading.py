"""Reading the body of a request, also if it was sent in chunks.

SuperOffice may send its bodies in chunks (NetServer is .NET, whose ``JsonContent`` does). Then
there is no Content-Length, and Django reads nothing under WSGI, because PEP 3333 has no other way
to say where a body ends. Many servers decode the chunks, end ``wsgi.input`` where the body ends,
and set ``wsgi.input_terminated``.
"""

from collections.abc import Callable

from django.http import HttpRequest

from ..exceptions import Refused


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Return the body, or its first ``limit`` bytes.

    Raises:
        Refused: the server does not hand over a chunked body, the body ended too early, or a
            middleware read the stream and did not keep what it read.
    """
    meta = request.META
    header = str(meta.get("CONTENT_LENGTH") or "")
    length = int(header) if header.isascii() and header.isdigit() else None
    is_chunked = bool(meta.get("wsgi.input_terminated")) or "HTTP_TRANSFER_ENCODING" in meta
    if "wsgi.input" in meta and length is None and is_chunked:
        return _read_chunked(request, limit)
    if hasattr(request, "_body"):
        # A middleware read request.body, and Django kept it; the stream may be used up.
        return request.body[:limit]
    if getattr(request, "_read_started", False):
        raise Refused("body already read by a middleware")
    body = _read(request.read, limit)
    if len(body) < min(limit, length or 0):
        raise _not_readable()
    return body


def _not_readable() -> Refused:
    return Refused("body not readable")


def _read_chunked(request: HttpRequest, limit: int) -> bytes:
    """Return a body of which only the server, or the body itself, says where it ends."""
    # Without this flag, a read may wait for ever for the end of the body.
    if not request.META.get("wsgi.input_terminated"):
        raise _not_readable()
    body = _read(request.META["wsgi.input"].read, limit)
    if not body and "HTTP_TRANSFER_ENCODING" in request.META:
        raise _not_readable()
    return body


def _read(read: Callable[[int], bytes], limit: int) -> bytes:
    """Read until the end; a stream may return less at a time than it has."""
    parts = []
    try:
        while limit > 0 and (part := read(limit)):
            parts.append(part)
            limit -= len(part)
    # The sender is gone, or its chunks are malformed.
    except OSError as error:
        raise _not_readable() from error
    return b"".join(parts)
