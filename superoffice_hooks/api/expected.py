"""Values of parameters, read: each field says what it expected, and quotes nothing."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django import forms
from django.http import QueryDict

from .. import moments
from ..models import Event
from ..values import storable_text

NEWEST_FIRST = "-received_at"
OLDEST_FIRST = "received_at"

MOST_NAMES = 20
MOST_STARS = 5
"""In a pattern; with many, a database may take for ever to find that a name does not match."""

_EMPTY = (None, "")
_BIGINT = range(-(2**63), 2**63)
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_START_OF_ID = re.compile(r"[0-9a-f]{4,32}")


def number(text: str) -> int:
    """A whole number that a column for primary keys takes.

    Raises:
        ValueError: it is none.
    """
    if _NUMBER.fullmatch(text) and int(text) in _BIGINT:
        return int(text)
    raise ValueError("no whole number of 64 bits")


class TextField(forms.CharField):
    """Text, as it would be stored."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)
        # Django's validators would quote what was sent.
        self.validators = [self._check_length]
        self.expected = f"Expected at most {max_length} characters."

    def to_python(self, value: Any) -> str:
        return storable_text(super().to_python(value) or "")

    def _check_length(self, value: str) -> None:
        if len(value) > (self.max_length or 0):
            raise forms.ValidationError(self.expected)


class PatternField(TextField):
    """An event name, or a pattern of names."""

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if text.count("*") > MOST_STARS:
            raise forms.ValidationError(f"Expected a pattern with at most {MOST_STARS} stars.")
        return text


class NumberField(forms.Field):
    """A whole number of 64 bits."""

    def to_python(self, value: Any) -> int | None:
        if value in _EMPTY:
            return None
        try:
            return number(value)
        except ValueError:
            raise forms.ValidationError("Expected a whole number of at most 64 bits.") from None


class MomentField(forms.Field):
    """A point in time."""

    def to_python(self, value: Any) -> datetime | None:
        if value in _EMPTY:
            return None
        try:
            return moments.read(value.strip())
        except ValueError:
            raise forms.ValidationError(
                "Expected a moment of the years 1000 to 9998, as 2026-05-19 or"
                " 2026-05-19T14:30:00+02:00; in a URL + is written %2B."
            ) from None


class FlagField(forms.Field):
    """``true`` or ``false``."""

    def to_python(self, value: Any) -> bool | None:
        if value in _EMPTY:
            return None
        if value in ("true", "false"):
            return bool(value == "true")
        raise forms.ValidationError("Expected true or false.")


class WordField(forms.ChoiceField):
    """One of a few words."""

    words: ClassVar[Iterable[tuple[str, Any]]]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("", "---"), *self.words], **kwargs)
        expected = ", ".join(str(word) for word, _ in self.words)
        self.error_messages["invalid_choice"] = f"Expected one of {expected}."


class StatusField(WordField):
    """A status of events."""

    words = Event.Status.choices


class OrderField(WordField):
    """A direction."""

    words = ((NEWEST_FIRST, "newest first"), (OLDEST_FIRST, "oldest first"))


class _EachValue(forms.TextInput):
    """All values of a parameter that may be repeated."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        return data.getlist(name) if isinstance(data, QueryDict) else data.get(name)


class NamesField(forms.Field):
    """Names of changed fields."""

    widget = _EachValue

    def to_python(self, value: Any) -> tuple[str, ...]:
        names = tuple(storable_text(name.strip()) for name in value or () if name.strip())
        if len(names) > MOST_NAMES or any(len(name) > 128 for name in names):
            raise forms.ValidationError(
                f"Expected at most {MOST_NAMES} names of at most 128 characters each."
            )
        return names


class Range(NamedTuple):
    """The EventIds that begin with the same digits."""

    first: UUID
    last: UUID


class EventIdField(forms.Field):
    """An EventId, or how it begins; dashes do not count."""

    def to_python(self, value: Any) -> Range | None:
        if value in _EMPTY:
            return None
        digits = value.strip().lower().replace("-", "")
        if not _START_OF_ID.fullmatch(digits):
            raise forms.ValidationError(
                "Expected an EventId, or at least 4 of the digits it begins with."
            )
        return Range(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
