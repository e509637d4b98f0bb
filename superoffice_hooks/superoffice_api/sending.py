"""Send one HTTP request; return its answer, or the reason why there is none."""

import json
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from . import deadline
from .redacting import Secret

ANSWER_SECONDS, CONNECT_SECONDS = 60.0, 10.0
TOTAL_SECONDS = 120.0
"""How long one answer may take as a whole."""
MAX_BYTES = 32 * 1024 * 1024
"""The longest answer."""
USER_AGENT = "superoffice_hooks (Django app)"
_SECRET_KEYS = {"secret", "token", "ticket", "access_token", "refresh_token", "id_token"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. Its repr does not show the body and the headers: they may have a ticket."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """By name in lower case."""

    def json(self) -> Any:
        """Return the body as JSON; its secrets become ``Secret``.

        Raises:
            ValueError: the body is no JSON.
        """
        try:
            return json.loads(self.body, object_hook=_hide)
        except (ValueError, RecursionError):
            raise ValueError("The answer is no JSON.") from None

    def json_object(self) -> dict[str, Any] | None:
        """Return the body, if it is a JSON object; otherwise None."""
        try:
            data = self.json()
        except ValueError:
            return None
        return data if isinstance(data, dict) else None

    def retry_after(self) -> float | None:
        """Return the seconds of ``Retry-After``, a number or a date; None if there is none."""
        header = self.headers.get("retry-after", "").strip()
        if header.isdecimal():
            return float(header)
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
        # A date in the past says nothing: one of the two clocks is wrong.
        return seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The reason why there is no answer."""

    reason: str
    was_sent: bool
    """Whether SuperOffice may have received the request."""


@cache
def _tls() -> ssl.SSLContext:
    """Return the context that verifies certificates, by the authorities of this machine."""
    return ssl.create_default_context()


class Sender:
    """Sends requests. It always verifies certificates, and never follows a redirect.

    Args:
        wait: called before each request; returns when the request may be sent.
        tls: the context that verifies certificates; None for the authorities of this machine.
        seconds: how long one answer may take as a whole.
        max_bytes: the longest answer.
    """

    def __init__(
        self,
        wait: Callable[[], object] = lambda: None,
        *,
        tls: ssl.SSLContext | None = None,
        seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._wait = wait
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._http = httpx.Client(verify=tls or _tls(), timeout=_timeout(), follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        params: Mapping[str, str] | None = None,
        body: Callable[[], Any] | None = None,
    ) -> Answer | NoAnswer:
        """Send a request; ``body`` returns what is sent as JSON.

        It raises no error of the HTTP library: Django's error reports would show the variables of
        its frames, and so the headers.
        """
        self._wait()
        if deadline.is_over():
            return NoAnswer("no answer in time", was_sent=False)
        with deadline.within(self._seconds):
            try:
                return self._send(method, url, headers or {}, params, body)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                return NoAnswer(_reason(error), was_sent=False)
            except Exception as error:
                return NoAnswer(_reason(error), was_sent=True)

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str | Secret],
        params: Mapping[str, str] | None,
        body: Callable[[], Any] | None,
    ) -> Answer:
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
            **{k: v.reveal() if isinstance(v, Secret) else v for k, v in headers.items()},
        }
        content = None
        if body is not None:
            content = json.dumps(body()).encode()
            sent["Content-Type"] = "application/json; charset=utf-8"
        with self._http.stream(
            method,
            url,
            headers=sent,
            params=params,
            content=content,
            timeout=_timeout(),
            extensions={"trace": _bound},
        ) as response:
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, _body(response, self._max_bytes), names)


def _bound(name: str, info: Mapping[str, Any]) -> None:
    """Let each read of a new connection wait no longer than until the deadline.

    The time-outs of the HTTP library are for one read. An answer that comes byte by byte, its
    headers included, would never end.
    """
    if not name.endswith(("connect_tcp.complete", "start_tls.complete")):
        return
    stream = info["return_value"]
    read_on = stream.read

    def read(max_bytes: int, timeout: float | None = None) -> bytes:
        if deadline.is_over():
            raise TimeoutError
        part: bytes = read_on(max_bytes, deadline.left(timeout or ANSWER_SECONDS))
        return part

    stream.read = read


def _body(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body of an answer. The limit is for the unpacked body."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise httpx.DecodingError("The answer is packed in a way that was not wanted.")
    unpacker = zlib.decompressobj(wbits=31) if coding == "gzip" else None
    read = bytearray()
    for part in response.iter_raw():
        read += unpacker.decompress(part, max_bytes + 1 - len(read)) if unpacker else part
        if len(read) > max_bytes:
            raise httpx.ReadError("The answer is too long.")
    if unpacker and read and not unpacker.eof:
        raise httpx.DecodingError("The answer ends too early.")
    return bytes(read)


def _timeout() -> httpx.Timeout:
    return httpx.Timeout(deadline.left(ANSWER_SECONDS), connect=deadline.left(CONNECT_SECONDS))


def _hide(data: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the answer, with its secrets as ``Secret``."""
    for key, value in data.items():
        if key.lower() in _SECRET_KEYS and isinstance(value, str):
            data[key] = Secret(value)
    return data


def _reason(error: Exception) -> str:
    """Return in short why there is no answer, without an address."""
    match error:
        case _ if deadline.is_over():
            return "no answer in time"
        case httpx.ConnectTimeout():
            return f"no connection within {CONNECT_SECONDS:.0f} seconds"
        case httpx.TimeoutException():
            return f"no answer within {ANSWER_SECONDS:.0f} seconds"
        case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its TLS certificate is not valid"
        case httpx.ConnectError():
            return "no connection"
        case httpx.DecodingError() | zlib.error():
            return "an answer that cannot be unpacked"
        case httpx.HTTPError():
            return "the connection was cut"
        case _:
            return type(error).__name__
