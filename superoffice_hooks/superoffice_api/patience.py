"""How long a caller waits for SuperOffice: a command minutes, a person at a page seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("superoffice_hooks_end", default=None)


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Wait no longer than this for all calls within, their repetitions included.

    Within another limit, the shorter one counts.
    """
    token = _end.set(time.monotonic() + left(seconds))
    try:
        yield
    finally:
        _end.reset(token)


def left(longest: float) -> float:
    """Return how many seconds to wait: the longest time, or what is left if that is less."""
    end = _end.get()
    return longest if end is None else max(0.0, min(longest, end - time.monotonic()))


def is_over() -> bool:
    """Return whether nothing is left."""
    return left(1.0) == 0.0
