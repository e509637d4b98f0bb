"""One HTTP request and its answer, or why there is none."""

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

from . import patience
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
    """What came back. Its body and headers show in no repr: they may have a ticket."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """By name in lower case."""

    def json(self) -> Any:
        """Return the body as JSON, in which secrets do not show.

        Raises:
            ValueError: it is none.
        """
        try:
            return json.loads(self.body, object_hook=_hide)
        except (ValueError, RecursionError):
            raise ValueError("The answer is no JSON.") from None

    def retry_after(self) -> float | None:
        """Return the seconds that ``Retry-After`` says, as a number or a date; None if none."""
        header = self.headers.get("retry-after", "").strip()
        if header.isdecimal():
            return float(header)
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
        # A date that is over says nothing: one of the clocks is wrong.
        return seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The reason why there is no answer."""

    reason: str
    was_sent: bool
    """Whether SuperOffice may have had the request."""


@cache
def _tls() -> ssl.SSLContext:
    """Return what verifies certificates: by the authorities that this machine trusts."""
    return ssl.create_default_context()


class Sender:
    """Sends requests. Follows no redirect, and verifies certificates, always.

    Args:
        wait: waits for the turn of each request.
        tls: verifies certificates, if not by the authorities that this machine trusts.
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

        No error of the HTTP library leaves: Django's error reports would show the variables of its
        frames, and so the headers.
        """
        self._wait()
        if patience.is_over():
            return NoAnswer("no answer in time", was_sent=False)
        with patience.limit(self._seconds):
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
    """Let each read of a new connection wait no longer than is left for the whole answer.

    The time-outs of the HTTP library are for one read each. An answer that comes byte by byte,
    its headers included, would take for ever.
    """
    if not name.endswith(("connect_tcp.complete", "start_tls.complete")):
        return
    stream = info["return_value"]
    read_on = stream.read

    def read(max_bytes: int, timeout: float | None = None) -> bytes:
        if patience.is_over():
            raise TimeoutError
        part: bytes = read_on(max_bytes, patience.left(timeout or ANSWER_SECONDS))
        return part

    stream.read = read


def _body(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body of an answer. What it unpacks to is bounded, not only what was sent."""
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
    return httpx.Timeout(patience.left(ANSWER_SECONDS), connect=patience.left(CONNECT_SECONDS))


def _hide(said: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the answer, its secrets as such."""
    for key, value in said.items():
        if key.lower() in _SECRET_KEYS and isinstance(value, str):
            said[key] = Secret(value)
    return said


def _reason(error: Exception) -> str:
    """Return the reason why there is no answer, in short and without an address."""
    match error:
        case _ if patience.is_over():
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
