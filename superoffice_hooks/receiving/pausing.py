"""The pause after a failure: deliveries go to the spool without trying the database.

A file in the spool's folder shows the pause to the other processes of this machine.
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
"""Once a delivery has waited longer for the database, the others do not try it meanwhile."""

_FILE_NAME = "database_away"


class Pause:
    """Whether deliveries may try the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: float | None = None
        self._is_known_to_all = False
        self._tries: dict[int, float] = {}
        self._numbers = count()
        self.succeeded_at = 0.0
        """When the database last took a delivery, by the monotonic clock."""

    def is_over(self) -> bool:
        """Return whether a delivery may try the database. At the end of a pause, only one may."""
        with self._lock:
            return self._is_over_for_all() if self._is_free() else self._has_ended()

    def is_over_here(self) -> bool:
        """Return the same for draining, which ignores and can end the pause of other processes."""
        with self._lock:
            self._is_known_to_all = True
            return self._is_free() or self._has_ended()

    def begin(self) -> bool:
        """Begin a pause; return whether there was none before in this process."""
        with self._lock:
            is_new = self._until is None
            self._begin()
        return is_new

    def end(self) -> None:
        """Let every delivery try the database again."""
        with self._lock:
            self._until = None
            if self._is_known_to_all and (file := _file()):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
            self._is_known_to_all = False

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Note that a delivery tries the database; end the pause if that works."""
        number = next(self._numbers)
        with self._lock:
            self._tries[number] = time.monotonic()
        try:
            yield
            if self._until is not None or self._is_known_to_all:
                self.end()
            self.succeeded_at = time.monotonic()
        finally:
            with self._lock:
                self._tries.pop(number, None)

    def forget(self) -> None:
        """Start again in a forked process."""
        self.__init__()  # type: ignore[misc]

    def _begin(self) -> None:
        self._until = time.monotonic() + PAUSE_SECONDS
        self._make_known()

    def _is_free(self) -> bool:
        """Return whether this process has no pause; begin one if a thread waits too long."""
        if self._until is None and self._hangs():
            self._begin()
        return self._until is None

    def _has_ended(self) -> bool:
        """Return whether the pause has ended; then begin another one for all but this caller."""
        if self._until is not None and time.monotonic() < self._until:
            return False
        # The others wait for the result of this one.
        self._begin()
        return True

    def _hangs(self) -> bool:
        """Return whether a thread has waited too long for the database."""
        now = time.monotonic()
        return any(now - since > _PATIENCE_SECONDS for since in self._tries.values())

    def _is_over_for_all(self) -> bool:
        """Return whether no other process has a pause, or its pause has ended."""
        file = _file()
        try:
            age = time.time() - file.stat().st_mtime if file else None
        except OSError:
            age = None
        if age is None:
            return True
        self._is_known_to_all = True
        # In both directions: a clock that was set back must not make a pause of hours.
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
