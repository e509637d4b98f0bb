"""The kinds of values of criteria: how each is read from text, and from stored JSON."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from ..models import times
from ..wire import event_names
from ..wire.values import BIGINT, storable_text

_T = TypeVar("_T")
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class ValueKind:
    """One kind of value. ``parse`` and ``read`` raise ValueError for an invalid one."""

    empty: Any = None
    """The value of a criterion that is not set."""
    expected: str
    """What a value must be, for the error message."""

    def parse(self, text: str) -> Any:
        """Return the value of a parameter, an option, or a text in JSON."""
        return self.read(text)

    def read(self, value: Any) -> Any:
        """Return the value that was stored as JSON."""
        raise NotImplementedError


class Text(ValueKind):
    """Text, as it would be stored."""

    empty = ""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    @property
    def expected(self) -> str:  # type: ignore[override]
        return f"at most {self.max_length} characters"

    def parse(self, text: str) -> str:
        value = self.read(text).strip()
        if len(value) > self.max_length:
            raise ValueError(self.expected)
        return value

    def read(self, value: Any) -> str:
        return storable_text(_of(str, value))


class Pattern(Text):
    """An event name, or a pattern of names."""

    @property
    def expected(self) -> str:  # type: ignore[override]
        stars = event_names.MAX_STARS
        return f"a pattern with at most {stars} stars and {self.max_length} characters"

    def parse(self, text: str) -> str:
        value = super().parse(text)
        if value.count("*") > event_names.MAX_STARS:
            raise ValueError(self.expected)
        return value


class Word(ValueKind):
    """One of a fixed set of words."""

    empty = ""

    def __init__(self, choices: tuple[tuple[str, Any], ...]) -> None:
        self.choices = choices

    @property
    def expected(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(self.words)

    @property
    def words(self) -> Iterable[str]:
        """Return the words without their translations."""
        return [str(word) for word, _ in self.choices]

    def parse(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(self.expected)
        return text

    def read(self, value: Any) -> str:
        return storable_text(_of(str, value))


class Number(ValueKind):
    """A whole number of 64 bits."""

    def __init__(self, minimum: int = BIGINT[0], maximum: int = BIGINT[-1]) -> None:
        self.minimum = minimum
        self.maximum = maximum

    @property
    def expected(self) -> str:  # type: ignore[override]
        return "a whole number " + ("above 0" if self.minimum == 1 else "of at most 64 bits")

    def parse(self, text: str) -> int:
        if not _NUMBER.fullmatch(text.strip()):
            raise ValueError(self.expected)
        return self._checked(int(text))

    def read(self, value: Any) -> int:
        return self._checked(_of(int, value))

    def _checked(self, value: int) -> int:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(self.expected)
        return value


class RecordNumber(Number):
    """The number of a record. A stored one may have more than 64 bits; then it selects no event."""

    def read(self, value: Any) -> int:
        return _of(int, value)


class Flag(ValueKind):
    """Yes or no."""

    expected = "true or false"

    def parse(self, text: str) -> bool:
        try:
            return {"true": True, "false": False}[text]
        except KeyError:
            raise ValueError(self.expected) from None

    def read(self, value: Any) -> bool:
        return _of(bool, value)


class Guid(ValueKind):
    """A GUID."""

    expected = "a GUID like 1fc5752a-6de8-412d-847a-12d5529a0ec6"

    def read(self, value: Any) -> UUID:
        return UUID(_of(str, value))


class Time(ValueKind):
    """A date, or a date and time; without an offset, in the project's time zone."""

    expected = (
        "a time of the years 1000 to 9998, as 2026-05-19 or 2026-05-19T14:30:00+02:00 (in a URL,"
        " + is written %2B)"
    )

    def read(self, value: Any) -> datetime:
        return times.read(_of(str, value).strip())


def _of(kind: type[_T], value: Any) -> _T:
    # True is an int in Python, though not in JSON.
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
