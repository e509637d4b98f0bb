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
        self._alone: list[Calling] = []
        """The attempts that wait to be the only one, or are."""

    @property
    def wanted_alone(self) -> bool:
        """Return whether an attempt waits to be the only one, or is, and does not hang."""
        return not all(calling.is_hung for calling in list(self._alone))

    @contextmanager
    def together(self, calling: Calling) -> Iterator[None]:
        """Be one of several; wait while one is, or wants to be, alone.

        An attempt whose call hangs does not keep others from anything.
        """
        with self._changed:
            while self.wanted_alone:
                # Whether one hangs is not announced.
                self._changed.wait(_LOOK_SECONDS)
            self._inside.append(calling)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(calling)
                self._changed.notify_all()

    @contextmanager
    def alone(self, calling: Calling, seconds: float | None = None) -> Iterator[bool]:
        """Be the only one; yield False if others are still inside after so many seconds.

        If two want to be alone, one waits for the other.
        """
        end = time.monotonic() + (self.seconds if seconds is None else seconds)
        with self._changed:
            self._alone.append(calling)
        is_inside = False
        try:
            is_inside = self._enter_alone(calling, end)
            yield is_inside
        finally:
            with self._changed:
                self._alone.remove(calling)
                if is_inside:
                    self._inside.remove(calling)
                self._changed.notify_all()

    def _enter_alone(self, calling: Calling, end: float) -> bool:
        """Wait until no attempt is inside, and be inside; return False if that is not in time."""
        with self._changed:
            while not all(other.is_hung for other in self._inside):
                if time.monotonic() >= end:
                    return False
                self._changed.wait(_LOOK_SECONDS)
            self._inside.append(calling)
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
