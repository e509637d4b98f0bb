"""Tracebacks: any error as text.

Python calls code of the error for that: its ``__str__``, which may raise, and properties, of which
it expects certain types. Recording and logging an error must not fail because of it.
"""

import traceback
from types import TracebackType


def headline(error: BaseException) -> str:
    """Return the type of an error and its message."""
    try:
        return "".join(traceback.format_exception_only(error)).strip()
    except Exception:
        return _without_message(error)


def whole(error: BaseException, frames: TracebackType | None) -> str:
    """Return an error with its frames and its causes; without a message if it has none to show."""
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:
        return "".join([*traceback.format_tb(frames), _without_message(error)])


def _without_message(error: BaseException) -> str:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}: (the message cannot be shown)"
