"""Choose which receivers are called in a test, and collect what they raise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..receivers import EventSignal, Receiver, around_calls, dotted_path


def muted() -> Any:
    """Return a context manager in which no receiver counts as connected.

    Events are stored as always, and no receiver is called: ``with muted(): deliver(client)``.
    """
    return only()


@contextmanager
def only(*functions: Callable[..., Any]) -> Iterator[None]:
    """Let only these receivers count as connected; each keeps the filters that it has."""
    before = EventSignal.only
    EventSignal.only = frozenset(map(dotted_path, functions))
    try:
        yield
    finally:
        EventSignal.only = before


@contextmanager
def raised() -> Iterator[list[BaseException]]:
    """Collect what receivers raise, in any thread of this process."""
    errors: list[BaseException] = []

    @contextmanager
    def collect(receiver: Receiver, event: Any) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            errors.append(error)
            raise

    around_calls.append(collect)
    try:
        yield errors
    finally:
        around_calls.remove(collect)
