"""Ending connections whose server does not answer, which no time limit of the server does.

A stopped server or a host that swallows packets keeps a driver waiting for as long as the operating
system likes. One thread of the process looks after all of them, and is idle but for that.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from .logs import get_logger

logger = get_logger(__name__)


class Deadlines:
    """The sockets that are waited for, and until when."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[float, int]] = {}
        self._numbers = count()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float, connection: Any) -> Iterator[None]:
        """End the connection of a driver, if it is a socket, once the block takes so long.

        The driver raises the error of a lost connection then.
        """
        # A descriptor of our own: the driver's may be closed and be another file's meanwhile.
        try:
            descriptor = os.dup(connection.fileno())
        except (AttributeError, OSError, ValueError):
            yield
            return
        number = next(self._numbers)
        try:
            self._add(number, time.monotonic() + seconds, descriptor)
            yield
        finally:
            with self._changed:
                self._waiting.pop(number, None)
                os.close(descriptor)

    def forget(self) -> None:
        """Begin anew, as a process that was forked has to, which has no other thread."""
        self.__init__()  # type: ignore[misc]

    def _add(self, number: int, until: float, descriptor: int) -> None:
        with self._changed:
            was_idle = not self._waiting
            self._waiting[number] = until, descriptor
            if self._watcher is None:
                name = "superoffice_hooks deadlines"
                self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
                self._watcher.start()
            elif was_idle:
                self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for number, (until, descriptor) in list(self._waiting.items()):
                    if until <= now:
                        del self._waiting[number]
                        _end(descriptor)
                nearest = min((until for until, _ in self._waiting.values()), default=None)
                self._changed.wait(None if nearest is None else max(0.0, nearest - now))


def _end(descriptor: int) -> None:
    logger.warning("The database does not answer; the connection is ended")
    with suppress(OSError):
        connection = socket.socket(fileno=os.dup(descriptor))
        with connection:
            connection.shutdown(socket.SHUT_RDWR)


deadlines = Deadlines()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=deadlines.forget)
