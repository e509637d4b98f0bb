"""The gate: many attempts at once, or one alone that may end its process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..dispatching.watching import Calling

_LOOK_SECONDS = 0.25


class Gate:
    """Lets several attempts of a process through at once, and a suspect one only by itself."""

    def __init__(self) -> None:
        self.seconds = 30.0
        """How long an attempt that is to be made alone waits for others to end."""
        self._changed = threading.Condition()
        self._inside: list[Calling] = []
        self.wanted_alone = 0
        """How many attempts wait to be the only one, or are."""
        self._one_alone = threading.Lock()

    @contextmanager
    def together(self, calling: Calling) -> Iterator[None]:
        """Be one of several; wait while one is, or wants to be, alone.

        An attempt whose call hangs does not keep others from being alone.
        """
        with self._changed:
            while self.wanted_alone:
                self._changed.wait()
            self._inside.append(calling)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(calling)
                self._changed.notify_all()

    @contextmanager
    def alone(self, seconds: float | None = None) -> Iterator[bool]:
        """Be the only one; yield False if others are still inside after so many seconds.

        If two want to be alone, one waits for the other.
        """
        end = time.monotonic() + (self.seconds if seconds is None else seconds)
        with self._changed:
            self.wanted_alone += 1
        try:
            with self._one_alone:
                yield self._is_empty(end)
        finally:
            with self._changed:
                self.wanted_alone -= 1
                self._changed.notify_all()

    def _is_empty(self, end: float) -> bool:
        """Wait until no attempt is inside, or until the end; return whether none is."""
        with self._changed:
            while not all(calling.is_hung for calling in self._inside):
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
        """Return whether it is time to look again."""
        return time.monotonic() >= self._over_at

    @property
    def left(self) -> float:
        """Return the seconds until the next look."""
        return max(self._over_at - time.monotonic(), 0.001)

    @property
    def is_long(self) -> bool:
        """Return whether there has been nothing to do for some time."""
        return self._next >= self._longest

    def begin(self) -> None:
        """Begin a pause, longer than the one before."""
        self._over_at = time.monotonic() + self._next
        self._next = min(self._next * 1.5, self._longest)

    def end(self) -> None:
        """End the pause: there is something to do."""
        self._next = self._shortest
        self._over_at = 0.0
