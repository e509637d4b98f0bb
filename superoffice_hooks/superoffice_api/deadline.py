"""Until when a caller waits for SuperOffice: a command for minutes, a person for seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("superoffice_hooks_end", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End all calls in the block within these seconds, their repetitions included.

    Inside another such block, the earlier deadline counts.
    """
    token = _end.set(time.monotonic() + left(seconds))
    try:
        yield
    finally:
        _end.reset(token)


def left(longest: float) -> float:
    """Return how many seconds to wait: ``longest``, or those until the deadline if that is less."""
    end = _end.get()
    return longest if end is None else max(0.0, min(longest, end - time.monotonic()))


def is_over() -> bool:
    """Return whether the deadline has passed."""
    return left(1.0) == 0.0
