"""Watching calls: their claims are renewed while they last, and those that hang are reported."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from django.db import DatabaseError, connections

from .. import conf
from ..models.queue import RENEWALS_PER_LEASE
from ..wire.log_fields import fields
from ..wire.logs import get_logger

logger = get_logger(__name__)

STUCK_SECONDS = 5.0
"""After so long in one call, a lane is stuck, and must not keep others from their receivers."""


class Calling:
    """The call that a thread makes now."""

    def __init__(self) -> None:
        self.receiver = ""
        """The dotted path of the receiver; empty between two calls."""
        self.is_reported = False
        """Whether it was reported that the call hangs."""
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """Return for how long the call has lasted; 0 between two calls."""
        return time.monotonic() - self._since if self.receiver else 0.0

    @property
    def is_stuck(self) -> bool:
        """Return whether it has lasted for STUCK_SECONDS."""
        return self.seconds > STUCK_SECONDS

    @property
    def is_hung(self) -> bool:
        """Return whether it has lasted for CALL_SECONDS, so that its claim is not renewed."""
        return self.seconds > conf.current().CALL_SECONDS

    def begin(self, receiver: str) -> None:
        """Note that a call begins."""
        self._since = time.monotonic()
        self.receiver, self.is_reported = receiver, False

    def end(self) -> None:
        """Note that it has ended."""
        self.receiver = ""


class Surroundings(NamedTuple):
    """What else goes on in the process that makes an attempt."""

    calling: Calling
    """The call of its thread; the attempt keeps it up to date."""
    alone: bool = True
    """Whether the process calls nothing else meanwhile."""
    may_call: Callable[[str], bool] = lambda path: True
    """Whether a receiver, by its dotted path, may be called now. The attempt is put off for some
    seconds for one that may not."""


class Keeper:
    """A thread that renews claims every third of a lease, and calls no receiver.

    Args:
        callings: returns the calls to watch.
        renew: renews the claims on a connection of the thread's own. Returns False if some were
            locked, and are to be renewed soon.
    """

    def __init__(
        self, callings: Callable[[], Iterable[Calling]], renew: Callable[[], bool]
    ) -> None:
        self._callings = callings
        self._renew = renew
        self._ended = threading.Event()
        self._renewed_at = time.monotonic()
        self._thread = threading.Thread(
            target=self._live, name="superoffice_hooks keeper", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Report calls that hang, and renew the claims if it is time."""
        for calling in self._callings():
            if calling.is_hung and not calling.is_reported:
                calling.is_reported = True
                logger.error(
                    "Receiver %s has run for %d seconds and may hang. When the lease ends, another"
                    " process takes over its event or replay. Let the receiver set a time-out;"
                    " CALL_SECONDS says how long a call may take.",
                    calling.receiver,
                    calling.seconds,
                    extra=fields(receiver=calling.receiver),
                )
        now, every = time.monotonic(), conf.current().LEASE_SECONDS / RENEWALS_PER_LEASE
        if now - self._renewed_at > every:
            self._renewed_at = now
            if not self._renew():
                self._renewed_at = now - every + every / 3

    def _live(self) -> None:
        seconds = min(conf.current().LEASE_SECONDS / 9, STUCK_SECONDS / 2)
        while not self._ended.wait(seconds):
            try:
                self.look()
            except DatabaseError as error:
                logger.warning("Claims could not be renewed now: %s", error)
            except Exception:
                logger.exception("Unexpected error while claims were renewed")
            finally:
                connections.close_all()
