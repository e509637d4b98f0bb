"""The gate: many attempts at once, or one alone that may end its process."""

import math
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
    def inside(
        self, calling: Calling, *, alone: bool = False, seconds: float | None = None
    ) -> Iterator[bool]:
        """Be one of several, or the only one.

        One of several waits while an attempt is, or wants to be, the only one. That one waits for
        those that are inside: yields False if some still are after so many seconds. An attempt
        whose call hangs does not keep others from anything.
        """
        limit = (self.seconds if seconds is None else seconds) if alone else math.inf
        end, others = time.monotonic() + limit, self._inside if alone else self._alone
        is_inside = False
        if alone:
            self._alone.append(calling)
        try:
            with self._changed:
                while not all(other.is_hung for other in others) and time.monotonic() < end:
                    # Whether one hangs is not announced.
                    self._changed.wait(_LOOK_SECONDS)
                if is_inside := all(other.is_hung for other in others):
                    self._inside.append(calling)
            yield is_inside
        finally:
            with self._changed:
                if alone:
                    self._alone.remove(calling)
                if is_inside:
                    self._inside.remove(calling)
                self._changed.notify_all()


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
