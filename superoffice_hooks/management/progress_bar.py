"""A bar on a terminal that shows how far a command is, where tqdm is installed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

try:
    from tqdm import tqdm
except ImportError:  # The extra "progress" is not installed.
    tqdm = None  # type: ignore[assignment, misc]

Advance = Callable[[int], object]
"""Adds so many to the bar."""


@contextmanager
def progress(total: int | None, unit: str, *, is_shown: bool) -> Iterator[Advance]:
    """Show a bar until the block ends. Yield what advances it; without a bar, that does nothing."""
    if tqdm is None or not is_shown:
        yield lambda number: None
        return
    with tqdm(total=total, unit=unit, file=sys.stderr) as bar:
        yield bar.update


def above_the_bar() -> AbstractContextManager[object]:
    """Return a block in which other lines can be written."""
    return nullcontext() if tqdm is None else tqdm.external_write_mode()
