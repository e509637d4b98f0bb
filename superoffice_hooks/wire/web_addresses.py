"""Whether two web addresses, each as somebody wrote it, are the same."""

from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"https": 443, "http": 80}


def is_same_url(one: str, other: str) -> bool:
    """Return whether two addresses are the same.

    Case of scheme and host, usual ports, percent-encoding and how an international name of a host
    is written make no difference.
    """
    return _normal(one) == _normal(other)


def is_same_place(one: str, other: str) -> bool:
    """Return whether two addresses lead to one view.

    Those of ours work with and without a slash at the end. A user name is sent along, and leads
    nowhere else.
    """
    return _place(one) == _place(other)


def without_password(url: str) -> str:
    """Return an address as it may be shown, still one that can be read."""
    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
        login, _at, place = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login.partition(':')[0]}:***@{place}").geturl()
    except ValueError:
        # It may have one all the same.
        return url.rpartition("@")[2]


def _normal(url: str) -> tuple[Any, ...]:
    parts = _split(url)
    if parts is None:
        return (url,)
    return (parts.username, parts.password, _segments(parts), *_host_and_query(parts))


def _place(url: str) -> tuple[Any, ...]:
    parts = _split(url)
    if parts is None:
        return (url,)
    segments = _segments(parts)
    return (segments[:-1] if segments[-1] == "" else segments, *_host_and_query(parts))


def _split(url: str) -> SplitResult | None:
    """Return the parts of an address whose port can be read; None if there are none."""
    try:
        parts = urlsplit(url.strip())
        _port = parts.port
    except ValueError:
        return None
    return parts


def _segments(parts: SplitResult) -> tuple[str, ...]:
    # An encoded slash separates nothing.
    return tuple(unquote(segment) for segment in (parts.path or "/").split("/"))


def _host_and_query(parts: SplitResult) -> tuple[Any, ...]:
    host = (parts.hostname or "").rstrip(".")
    with suppress(UnicodeError):
        host = host.encode("idna").decode()
    port = parts.port or _PORTS.get(parts.scheme)
    return parts.scheme, host, port, tuple(unquote(part) for part in parts.query.split("&"))
