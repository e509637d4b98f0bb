"""Bodies that are taken at their word: nothing in them is overlooked."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses keys it does not know: without a misspelt criterion, more events would be meant."""

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
    """Tells the schema so."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return {**mapped, "additionalProperties": False}


class Flag(serializers.BooleanField):
    """True or false, as JSON has them: a word could be meant either way."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Expected true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Number(serializers.IntegerField):
    """A whole number, as JSON has it."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Guid(serializers.UUIDField):
    """A GUID as text; REST framework makes one of any number, too."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Word(serializers.ChoiceField):
    """One of a few words; a wrong one is not quoted."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        words = ", ".join(map(str, self.choices))
        self.error_messages["invalid_choice"] = f"Expected one of {words}."


class Text(serializers.CharField):
    """Text, as JSON has it; never empty, as an empty criterion would be none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=1, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
