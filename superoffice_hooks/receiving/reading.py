"""Reading the body of a request, also if it was sent in chunks.

SuperOffice may send its bodies in chunks (NetServer is .NET, whose ``JsonContent`` does). Then
there is no Content-Length, and Django reads nothing under WSGI, because PEP 3333 has no other way
to say where a body ends. Many servers decode the chunks, end ``wsgi.input`` where the body ends,
and set ``wsgi.input_terminated``.
"""

from django.http import HttpRequest

from ..exceptions import Refused

_NOT_READABLE = "body not readable"


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Return the body, or its first ``limit`` bytes.

    Raises:
        Refused: the server does not hand over a chunked body, the body ended too early, or a
            middleware read the stream and did not keep what it read.
    """
    meta = request.META
    header = str(meta.get("CONTENT_LENGTH") or "")
    length = int(header) if header.isascii() and header.isdigit() else None
    has_coding, is_terminated = "HTTP_TRANSFER_ENCODING" in meta, meta.get("wsgi.input_terminated")
    if "wsgi.input" in meta and length is None and (has_coding or is_terminated):
        # Only the server, or the body itself, says where it ends. Without the flag, a read may wait
        # for ever for that end.
        if not is_terminated:
            raise Refused(_NOT_READABLE)
        stream, least = meta["wsgi.input"], int(has_coding)
    elif hasattr(request, "_body"):
        # A middleware read request.body, and Django kept it; the stream may be used up.
        return request.body[:limit]
    elif getattr(request, "_read_started", False):
        raise Refused("body already read by a middleware")
    else:
        stream, least = request, length or 0
    parts, left = list[bytes](), limit
    try:
        # A stream may return less at a time than it has.
        while left > 0 and (part := stream.read(left)):
            parts.append(part)
            left -= len(part)
    # The sender is gone, or its chunks are malformed.
    except OSError as error:
        raise Refused(_NOT_READABLE) from error
    if limit - left < min(limit, least):
        raise Refused(_NOT_READABLE)
    return b"".join(parts)
