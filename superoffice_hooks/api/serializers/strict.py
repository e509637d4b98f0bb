"""Strict bodies: unknown keys, and values of another type, are refused."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import ISO_8601, serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown keys: ignoring a misspelt criterion would select more events."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, Mapping):
            known = ", ".join(self.fields)
            unknown = {
                key[:50]: [f"There is no such key. Known ones: {known}."]
                for key in data
                if key not in self.fields
            }
            if unknown:
                raise serializers.ValidationError(unknown)
        values: dict[str, Any] = super().to_internal_value(data)
        return values


class StrictSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Writes into the schema that there are no other keys."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return {**mapped, "additionalProperties": False}


class Flag(serializers.BooleanField):
    """JSON's true or false; words are refused."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Expected true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Number(serializers.IntegerField):
    """A whole number of JSON; text is refused."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Time(serializers.DateTimeField):
    """A time in the format of ISO 8601; the format of the project's own API may differ."""

    format = ISO_8601
    input_formats = (ISO_8601,)


class Guid(serializers.UUIDField):
    """A GUID as text; numbers, which REST framework would take, are refused."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Word(serializers.ChoiceField):
    """One of a fixed set of words; an error does not quote the wrong one."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        words = ", ".join(map(str, self.choices))
        self.error_messages["invalid_choice"] = f"Expected one of {words}."


class Text(serializers.CharField):
    """Text that is not empty: an empty criterion would be no criterion."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=1, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
