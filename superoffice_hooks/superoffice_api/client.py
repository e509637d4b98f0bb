"""Call the API: signed in, at the right address, not too often, and again where that is safe."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

from . import deadline
from .addresses import Address, find
from .connection import Connection
from .errors import NotReached, NotRead, NotSignedIn, Refused
from .rate_limit import RateLimit
from .redacting import Secret, redacted
from .sending import Answer, NoAnswer, Sender
from .signing_in import Credentials

WAITS = (1.0, 4.0, 16.0)
"""Seconds before the second, third and fourth try."""
LONGEST_WAIT = 60.0
"""If ``Retry-After`` is longer, the call is not repeated."""

_BUSY = (429, 503)


class Client:
    """Calls the API of one tenant. Several threads may use it.

    Args:
        connection: how to reach and sign in to the tenant.
        rate: the maximum number of requests per second, those of a sign-in included.
        secrets: further texts that must not show if SuperOffice quotes them.
        sleep: called with seconds to wait.
        clock: a monotonic clock, for the age of an address.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        rate: float = 5,
        secrets: tuple[Secret, ...] = (),
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self._secrets = (*connection.secrets, *secrets)
        self._sender = Sender(RateLimit(rate, sleep).wait)
        self._credentials = Credentials(connection, self._sender, self._secrets)
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.RLock()
        self._address: Address | None = None
        self._looked_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self.connection.tenant}>"

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def redacted(self, text: object) -> str:
        """Return a text that SuperOffice wrote, in one line and without secrets."""
        return redacted(text, self._secrets)

    def address(self) -> Address:
        """Return the address of the API; look it up if it is not known, or too old."""
        with self._alone():
            age = self._clock() - self._looked_at
            if self._address is None or age > self._address.seconds:
                self._address = find(self.connection, self._sender, datetime.now(UTC))
                self._looked_at = self._clock()
            return self._address

    def version(self) -> Any:
        """Return what the API says about itself. That needs no sign-in."""
        url = self.address().root.removesuffix("/").removesuffix("/v1")
        return self._read(self._answer("GET", lambda _root: url, {}, None, repeat=True))

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Callable[[], Any] | None = None,
        repeat: bool = True,
    ) -> Any:
        """Call the API and return its answer as JSON; None if it has no content.

        Args:
            method: the HTTP method.
            path: what follows ``/v1/``, quoted.
            params: the query.
            body: returns what is sent as JSON; a callable, so that no frame shows its secrets.
            repeat: whether to call again even if the first call may have been carried out.

        Raises:
            ApiError: there was no answer, or none that can be used.
        """
        answer = self._answer(method, lambda root: root + path, params or {}, body, repeat=repeat)
        return self._read(answer)

    def _answer(
        self,
        method: str,
        url: Callable[[str], str],
        params: Mapping[str, str],
        body: Callable[[], Any] | None,
        *,
        repeat: bool,
    ) -> Answer:
        waits = iter(WAITS)
        is_new_ticket = is_new_address = False
        while True:
            root = self.address().root
            with self._alone():
                headers = self._credentials.headers()
            answer = self._sender.send(method, url(root), headers=headers, params=params, body=body)
            if isinstance(answer, Answer) and answer.status < 400:
                return answer
            if _is_moved(answer) and not is_new_address:
                is_new_address = True
                self._address = None
                if _may_repeat(answer, repeat=repeat) and not _is_busy(answer):
                    continue
            if isinstance(answer, Answer) and answer.status == 401 and not is_new_ticket:
                is_new_ticket = True
                self._credentials.forget()
                continue
            wait = _wait(answer, next(waits, None)) if _may_repeat(answer, repeat=repeat) else None
            if wait is None or deadline.left(wait) < wait:
                raise self._error(answer)
            self._sleep(wait)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one thread at a time look up the address or sign in."""
        if not self._lock.acquire(timeout=deadline.left(threading.TIMEOUT_MAX)):
            raise NotReached(
                f"Another call waits for SuperOffice's API for {self.connection.tenant}, and has no"
                " answer yet. Try again later."
            )
        try:
            yield
        finally:
            self._lock.release()

    def _error(self, answer: Answer | NoAnswer) -> Exception:
        api = f"SuperOffice's API for {self.connection.tenant}"
        if isinstance(answer, NoAnswer):
            return NotReached(f"{api} cannot be reached: {answer.reason}.")
        kind, message = _error_of(answer)
        text = f" It wrote: {self.redacted(message)}" if message else ""
        status = answer.status
        if status == 401:
            return NotSignedIn(f"{api} does not accept the sign-in (401).{text}")
        if status in (429, 502, 503, 504):
            return NotReached(f"{api} is not available ({status}).{text}")
        failed = "refused the call" if status < 429 else "failed"
        return Refused(f"{api} {failed} ({status}).{text}", status, self.redacted(kind))

    def _read(self, answer: Answer) -> Any:
        if answer.status == 204 or (answer.status == 200 and not answer.body.strip()):
            return None
        if answer.status >= 300:
            raise Refused(
                f"SuperOffice's API for {self.connection.tenant} answered with a redirect"
                f" ({answer.status}), which is not followed. Compare the address in CONNECTIONS.",
                answer.status,
            )
        try:
            return answer.json()
        except ValueError:
            pass
        raise NotRead(
            f"SuperOffice's API for {self.connection.tenant} gave an answer that is no JSON."
        )


def _is_moved(answer: Answer | NoAnswer) -> bool:
    """Return whether the API may have another address now, or may not be running."""
    return isinstance(answer, NoAnswer) or answer.status in (421, 503)


def _is_busy(answer: Answer | NoAnswer) -> bool:
    """Return whether the next try has to wait."""
    return isinstance(answer, Answer) and answer.status in _BUSY


def _may_repeat(answer: Answer | NoAnswer, *, repeat: bool) -> bool:
    """Return whether a call may be made again."""
    if isinstance(answer, NoAnswer):
        return repeat or not answer.was_sent
    if answer.status in (421, 429):
        # It was not carried out.
        return True
    # If SuperOffice names the error, the call failed for that reason: a save whose test failed.
    return repeat and answer.status >= 500 and not _error_of(answer)[0]


def _wait(answer: Answer | NoAnswer, usual: float | None) -> float | None:
    """Return how many seconds to wait before the next try; None for no further try."""
    if usual is None or (isinstance(answer, Answer) and answer.status == 421):
        return None
    if isinstance(answer, Answer) and _is_busy(answer):
        seconds = answer.retry_after()
        if seconds is not None:
            return seconds if seconds <= LONGEST_WAIT else None
    return usual


def _error_of(answer: Answer) -> tuple[str, str]:
    """Return the kind and the text of an error, as SuperOffice wrote them; empty if it did not."""
    data = answer.json_object() or {}
    return str(data.get("ErrorType") or ""), str(data.get("ErrorMessage") or "")
