"""Ending connections whose server does not answer.

If the server is stopped or its host drops packets, a driver may wait for many minutes, and no time
limit of the server helps. One thread of the process watches all connections that are waited for.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from ..wire.logs import get_logger

logger = get_logger(__name__)


class Deadlines:
    """The sockets that are waited for, and their deadlines."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[float, int]] = {}
        self._numbers = count()
        self._looks_at = math.inf
        """When the watcher looks next, by the monotonic clock, if nobody notifies it."""
        self._watcher: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float, connection: Any) -> Iterator[None]:
        """End a driver's connection, if it is a socket, when the block takes longer.

        Then the driver raises the error of a lost connection.
        """
        # A copy, because the driver may close its descriptor, and its number gets another file.
        try:
            descriptor = os.dup(connection.fileno())
        except (AttributeError, OSError, ValueError):
            yield
            return
        number = next(self._numbers)
        try:
            with self._changed:
                until = time.monotonic() + seconds
                self._waiting[number] = until, descriptor
                if self._watcher is None:
                    name = "superoffice_hooks deadlines"
                    self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
                    self._watcher.start()
                elif until < self._looks_at:
                    self._changed.notify()
            yield
        finally:
            with self._changed:
                self._waiting.pop(number, None)
                os.close(descriptor)

    def forget(self) -> None:
        """Start again in a forked process, which has none of its parent's threads."""
        self.__init__()  # type: ignore[misc]

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for number, (until, descriptor) in list(self._waiting.items()):
                    if until <= now:
                        del self._waiting[number]
                        _end(descriptor)
                # That of a wait which ends before stays: to wake a thread costs more than a query.
                self._looks_at = min(
                    (until for until, _ in self._waiting.values()), default=math.inf
                )
                nearest = None if self._looks_at == math.inf else max(0.0, self._looks_at - now)
                self._changed.wait(nearest)


def _end(descriptor: int) -> None:
    logger.warning("The database does not answer; ending the connection")
    with suppress(OSError):
        connection = socket.socket(fileno=os.dup(descriptor))
        with connection:
            connection.shutdown(socket.SHUT_RDWR)


deadlines = Deadlines()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=deadlines.forget)
