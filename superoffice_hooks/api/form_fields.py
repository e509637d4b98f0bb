"""Form fields for parameters. An error says what was expected, and does not quote the value."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django import forms
from django.http import QueryDict

from ..replay.value_kinds import ValueKind, Word

NEWEST_FIRST = "-received_at"
OLDEST_FIRST = "received_at"

_EMPTY = (None, "")
_START_OF_ID = re.compile(r"[0-9a-f]{4,32}")


class _EachValue(forms.TextInput):
    """All values of a parameter that may be repeated."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        return data.getlist(name) if isinstance(data, QueryDict) else data.get(name)


class ValueField(forms.Field):
    """A value of one kind, or up to ``many`` of them."""

    def __init__(self, *, kind: ValueKind, many: int, **kwargs: Any) -> None:
        if isinstance(kind, Word):
            kwargs["widget"] = forms.Select(choices=[("", "---"), *kind.choices])
        elif many:
            kwargs["widget"] = _EachValue
        super().__init__(**kwargs)
        self.kind, self.many = kind, many

    def to_python(self, value: Any) -> Any:
        texts = [text.strip() for text in (value if self.many else [value]) or () if text]
        try:
            values = tuple(self.kind.parse(text) for text in texts if text)
        except ValueError:
            raise forms.ValidationError(f"Expected {self.kind.expected}.") from None
        if self.many:
            if len(values) > self.many:
                raise forms.ValidationError(f"Expected at most {self.many} values.")
            return values
        return values[0] if values else None


class Range(NamedTuple):
    """The range of EventIds that begin with the same digits."""

    first: UUID
    last: UUID


class EventIdField(forms.Field):
    """An EventId, or its first digits; dashes do not count."""

    def to_python(self, value: Any) -> Range | None:
        if value in _EMPTY:
            return None
        digits = value.strip().lower().replace("-", "")
        if not _START_OF_ID.fullmatch(digits):
            raise forms.ValidationError(
                "Expected an EventId, or at least 4 of the digits it begins with."
            )
        return Range(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
