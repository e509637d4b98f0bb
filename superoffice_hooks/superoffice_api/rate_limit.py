"""Limit the number of requests per second."""

import threading
import time
from collections.abc import Callable

from . import deadline


class RateLimit:
    """Limits the number of requests per second. Several threads may use it."""

    def __init__(self, per_second: float, sleep: Callable[[float], object] = time.sleep) -> None:
        self._interval = 1 / per_second
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            self._sleep(deadline.left(turn - now))
