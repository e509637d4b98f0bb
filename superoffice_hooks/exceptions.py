"""Reasons to refuse a delivery, exceptions for receivers to raise, and the warning for old names.

The sender of a delivery that was refused or not stored gets the status code and nothing else.
"""

import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any


def ends_the_process(error: BaseException) -> bool:
    """Return whether an error is Ctrl-C, which is no failure of the receiver that was running.

    Everything else that a receiver raises is its failure, cancellations included. Python raises
    Ctrl-C in the main thread only. A KeyboardInterrupt in a lane would end the lane and not the
    process, so there it is a failure.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and isinstance(error, KeyboardInterrupt)


class SuperOfficeHooksError(Exception):
    """The base of the exceptions in this module."""


STATUS_CODES = {
    "unknown endpoint": 404,
    "body too large": 413,
    "body not readable": 503,
    "body already read by a middleware": 503,
    "signature missing": 401,
    "signature wrong": 401,
}
"""The reasons to refuse a delivery, each with the status code of the answer."""


class Refused(SuperOfficeHooksError):
    """A delivery was refused. It is kept as a Rejection with this ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status_code = STATUS_CODES[reason]


class UnknownEndpoint(Refused):
    """The settings have no secrets for this endpoint."""

    def __init__(self) -> None:
        super().__init__("unknown endpoint")


class NotStored(SuperOfficeHooksError):
    """A delivery could not be stored now. SuperOffice should send it again."""

    status_code = 503


class RetryLater(SuperOfficeHooksError):
    """Raised by a receiver that cannot work now, to be called again after so many seconds.

    It counts as one of the MAX_ATTEMPTS.
    """

    # Subclasses that do not call our __init__ have it, too.
    seconds: float | None = None

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} seconds")
        self.seconds = seconds

    @property
    def wait(self) -> float | None:
        """Return how many seconds to wait; None if that is no number: then RETRY_DELAYS counts."""
        seconds = self.seconds
        if not isinstance(seconds, int | float) or seconds != seconds:  # NaN
            return None
        return float(min(max(seconds, 0), sys.float_info.max))


class GiveUp(SuperOfficeHooksError):
    """Raised by a receiver that will never succeed with this event. It is not called again.

    The event has failed, even if its other receivers succeed. The admin shows ``reason``.
    """

    reason = ""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Failed(SuperOfficeHooksError):
    """Raised by a receiver that was called for a batch: it says which of its events failed.

    What the receiver did for the other events is committed. Each of these is tried again alone, as
    its error says.
    """

    errors: Mapping[Any, BaseException] = MappingProxyType({})

    def __init__(self, errors: Mapping[Any, BaseException]) -> None:
        for error in errors.values():
            if not isinstance(error, BaseException):
                raise TypeError(f"Failed has an exception for each event, not {error!r}.")
        super().__init__(", ".join(map(str, errors)))
        self.errors = dict(errors)


class RemovedInSuperofficeHooks03Warning(DeprecationWarning):
    """A name that works until 0.3."""


def renamed(module: str, new_names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module: old names lead to the new ones, and warn."""

    def find(name: str) -> Any:
        if name not in new_names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
        new = new_names[name]
        warnings.warn(
            f"{module}.{name} is called {new} now. The old name goes in 0.3.",
            RemovedInSuperofficeHooks03Warning,
            stacklevel=2,
        )
        return getattr(sys.modules[module], new)

    return find
