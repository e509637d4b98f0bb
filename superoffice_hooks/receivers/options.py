"""The options that a receiver was connected with."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from ..wire.event_names import Names

SIGNIFICANT: Literal["significant"] = "significant"
"""``fields="significant"`` means any field that is no noise."""

Fields = str | Iterable[str] | None
"""Names of fields and patterns of names; ``"significant"``; None for all events."""

ReadFields = Names | Literal["significant"] | None
"""Fields as read."""

LONGEST_SETTLES = 10
"""``at_most`` is this number times ``settle``, unless it is set."""

WITHIN = 5.0
"""``within``, in seconds, unless it is set."""

MAX_BATCH = 1000
_MAX_SECONDS = 366 * 24 * 3600.0


@dataclass(frozen=True)
class Options:
    """The options that a receiver was connected with; see ``EventSignal.connect``."""

    atomic: bool = True
    fields: ReadFields | Callable[[Any], Fields] = None
    unknown_changes: Literal["call", "skip"] = "call"
    ignore_own: bool = False
    settle: float | None = None
    """It is called for several events of a record, after so many seconds without a further one."""
    at_most: float | None = None
    """It is called at the latest so many seconds after the first of them; set if ``settle`` is."""
    batch: int | None = None
    """It is called for up to so many events at once."""
    within: float | None = None
    """How many seconds to wait for so many events; set if ``batch`` is."""

    @cached_property
    def is_gathered(self) -> bool:
        """Return whether it is called for several events together."""
        return self.settle is not None or self.batch is not None

    @cached_property
    def has_code(self) -> bool:
        """Return whether the filter is a callable of the project: an attempt begins before it."""
        return callable(self.fields)

    @property
    def names(self) -> Names | None:
        """Return the names and patterns of ``fields``, if they are fixed; None if not."""
        return self.fields if isinstance(self.fields, Names) else None

    def may_want(self, name: str, noise: Names) -> bool:
        """Return whether it may be called because this field changed; always with a callable."""
        if self.fields is None or self.has_code:
            return True
        return name in self.fields if isinstance(self.fields, Names) else name not in noise


def read_together(
    settle: float | None, at_most: float | None, batch: int | None, within: float | None
) -> dict[str, Any]:
    """Return the options of a receiver that is called for several events together.

    Raises:
        ValueError: one of them makes no sense, or they exclude each other.
    """
    _check_together(settle, at_most, batch, within)
    for name, seconds in (("settle", settle), ("at_most", at_most), ("within", within)):
        if seconds is not None and not _is_period(seconds):
            raise ValueError(f"{name} is a number of seconds above 0, not {seconds!r}.")
    if settle is not None:
        at_most = min(LONGEST_SETTLES * settle, _MAX_SECONDS) if at_most is None else at_most
        if at_most < settle:
            raise ValueError(f"at_most ({at_most:g}) is less than settle ({settle:g}).")
    elif batch is not None:
        within = WITHIN if within is None else within
    return {"settle": settle, "at_most": at_most, "batch": batch, "within": within}


def _check_together(settle: Any, at_most: Any, batch: Any, within: Any) -> None:
    if settle is not None and batch is not None:
        raise ValueError("settle and batch exclude each other.")
    if at_most is not None and settle is None:
        raise ValueError("at_most says how long settle may take, so it needs settle.")
    if within is not None and batch is None:
        raise ValueError("within says how long a batch may take to fill, so it needs batch.")
    if batch is not None and (type(batch) is not int or not 2 <= batch <= MAX_BATCH):
        raise ValueError(f"batch is a whole number from 2 to {MAX_BATCH}, not {batch!r}.")


def _is_period(seconds: Any) -> bool:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return is_number and math.isfinite(seconds) and 0 < seconds <= _MAX_SECONDS


def read_fields(fields: Any) -> ReadFields:
    """Return ``fields`` as read.

    Raises:
        TypeError: it has something other than text.
        ValueError: it names nothing.
    """
    if fields is None or isinstance(fields, Names):
        return fields
    if fields == SIGNIFICANT:
        return SIGNIFICANT
    names = [fields] if isinstance(fields, str) else list(fields)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"fields has names of changed fields, not {fields!r}.")
    return _names(frozenset(names))


@lru_cache(maxsize=1000)
def _names(names: frozenset[str]) -> Names:
    # Cached: the same names are then the same object, so that options can be compared.
    read = Names(names)
    if not list(read):
        raise ValueError("fields names nothing, so the receiver would never be called.")
    return read
