"""The gate: many attempts at once, or one alone that may end its process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Hangs = Callable[[], bool]

_LOOK_SECONDS = 0.25


class Gate:
    """Lets several attempts of a process through at once, and a suspect one only by itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: list[Hangs] = []
        self._wanted = 0
        self._one_alone = threading.Lock()

    @property
    def is_wanted_alone(self) -> bool:
        """Whether an attempt waits to be the only one, or is it."""
        return self._wanted > 0

    @contextmanager
    def together(self, hangs: Hangs = lambda: False) -> Iterator[None]:
        """Be one of several; waits while one is, or wants to be, alone.

        One that hangs, as ``hangs`` says, keeps nobody from being alone.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._wanted)
            self._inside.append(hangs)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(hangs)
                self._changed.notify_all()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[bool]:
        """Be the only one; yields False if others are still inside after so many seconds.

        Of two that want it, one waits for the other.
        """
        end = time.monotonic() + seconds
        with self._changed:
            self._wanted += 1
        try:
            with self._one_alone:
                yield self._is_empty(end)
        finally:
            with self._changed:
                self._wanted -= 1
                self._changed.notify_all()

    def _is_empty(self, end: float) -> bool:
        """Wait until nobody is inside, or the end."""
        with self._changed:
            while not all(hangs() for hangs in self._inside):
                if time.monotonic() >= end:
                    return False
                # Whether one hangs is not announced.
                self._changed.wait(_LOOK_SECONDS)
        return True


class Pause:
    """The pause between two looks: it grows while there is nothing to do."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._next = shortest
        self._over_at = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() >= self._over_at

    @property
    def left(self) -> float:
        """Seconds until the next look."""
        return max(self._over_at - time.monotonic(), 0.001)

    @property
    def is_long(self) -> bool:
        """Whether there has been nothing to do for some time."""
        return self._next >= self._longest

    def begin(self) -> None:
        """Begin a pause, longer than the one before."""
        self._over_at = time.monotonic() + self._next
        self._next = min(self._next * 1.5, self._longest)

    def end(self) -> None:
        """End the pause: there is something to do."""
        self._next = self._shortest
        self._over_at = 0.0
