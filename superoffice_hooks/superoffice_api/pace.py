"""The number of requests per second."""

import threading
import time
from collections.abc import Callable

from . import patience


class Pace:
    """Limits the number of requests per second. Threads may share it."""

    def __init__(self, per_second: float, sleep: Callable[[float], object] = time.sleep) -> None:
        self._interval = 1 / per_second
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Wait for the turn of this request."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            self._sleep(patience.left(turn - now))
