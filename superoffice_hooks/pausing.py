"""The pause after a failure, in which deliveries go to the spool and do not ask the database.

A file in the folder of the spool lets the other processes of this machine know of it, so that they
need not find out one by one.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from . import spool

PAUSE_SECONDS = 5.0

_PATIENCE_SECONDS = 1.5
"""While one delivery waits for the database for longer, the others do not ask it."""

_FILE_NAME = "database_away"


class Pause:
    """Whether the database may be asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: float | None = None
        self._is_known_to_all = False
        self._asking: dict[int, float] = {}
        self._numbers = count()
        self.succeeded_at = 0.0
        """When the database last took a delivery, by the monotonic clock."""

    def is_over(self) -> bool:
        """Return whether a delivery may ask the database; at the end of a pause, one may."""
        return self._is_over(others_count=True)

    def is_over_here(self) -> bool:
        """Return the same for draining, which keeps no sender waiting.

        So it asks whatever other processes have seen, and ends their pause too if it can.
        """
        self._is_known_to_all = True
        return self._is_over(others_count=False)

    def _is_over(self, *, others_count: bool) -> bool:
        now = time.monotonic()
        with self._lock:
            if self._until is None:
                if not self._hangs(now):
                    return not others_count or self._is_over_for_all()
                self._until = now + PAUSE_SECONDS
                self._make_known()
            if now < self._until:
                return False
            # The others wait for what becomes of this one.
            self._until = now + PAUSE_SECONDS
            self._make_known()
            return True

    def begin(self) -> bool:
        """Begin a pause; return whether there was none before in this process."""
        with self._lock:
            is_new = self._until is None
            self._until = time.monotonic() + PAUSE_SECONDS
            self._make_known()
        return is_new

    def end(self) -> None:
        """Let everybody ask the database again."""
        with self._lock:
            self._until = None
            if self._is_known_to_all and (file := _file()):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
            self._is_known_to_all = False

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Note that the database is asked; if it answers, the pause is over."""
        number = next(self._numbers)
        with self._lock:
            self._asking[number] = time.monotonic()
        try:
            yield
            self.end()
            self.succeeded_at = time.monotonic()
        finally:
            with self._lock:
                self._asking.pop(number, None)

    def forget(self) -> None:
        """Begin anew, as a process that was forked has to."""
        self.__init__()  # type: ignore[misc]

    def _hangs(self, now: float) -> bool:
        """Return whether another thread has waited for the database for too long."""
        return any(now - since > _PATIENCE_SECONDS for since in self._asking.values())

    def _is_over_for_all(self) -> bool:
        """Return whether no other process has begun a pause, or this one is to end it."""
        file = _file()
        try:
            age = time.time() - file.stat().st_mtime if file else None
        except OSError:
            age = None
        if age is None:
            return True
        self._is_known_to_all = True
        # A clock that was set back makes no pause of hours.
        if abs(age) < PAUSE_SECONDS:
            return False
        self._make_known()
        return True

    def _make_known(self) -> None:
        if file := _file():
            self._is_known_to_all = True
            # If it cannot be written, neither can the spool.
            with suppress(OSError):
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.touch(mode=0o600)


def _file() -> Path | None:
    folder = spool.folder()
    return folder / _FILE_NAME if folder else None


pause = Pause()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pause.forget)
