"""Criteria in JSON, with the names of the filters of lists."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from ...replay import value_kinds
from ...replay.criteria import TABLE, Criteria
from ...replay.criterion import Criterion
from .strict import Flag, Guid, Number, StrictSerializer, Text, Time, Word


class TimeField(Time):
    """A date, or a date and time; without an offset, in the project's time zone."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "Expected a date (2026-05-19) or a date and time (2026-05-19T14:30), with or"
        " without an offset."
    }

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return value_kinds.Time().read(value)
        except ValueError:
            self.fail("invalid")


class PatternField(Text):
    """An event name, or a pattern of names."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            value_kinds.Pattern(self.max_length or 0).parse(text)
        except ValueError as error:
            raise serializers.ValidationError(f"Expected {error}.") from None
        return text


class Several(serializers.ListField):
    """A list that is not empty: an empty one would be no criterion, and select all events."""

    def __init__(self, child: Any, max_length: int, **options: Any) -> None:
        super().__init__(child=child, min_length=1, max_length=max_length, **options)


class SeveralExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Writes into the schema of a parameter how many values it may have."""

    target_class = Several

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        value = auto_schema._map_serializer_field(self.target.child, direction)
        auto_schema._insert_field_validators(self.target.child, value)
        return {
            "type": "array",
            "items": value,
            "minItems": 1,
            "maxItems": self.target.max_length,
        }


class CriteriaSerializer(StrictSerializer):
    """Which events are meant: those that meet all criteria."""

    def get_fields(self) -> dict[str, Any]:
        """Return a field for each criterion, and the fields of a subclass."""
        return {row.key: _field(row) for row in TABLE.values()} | super().get_fields()

    def to_internal_value(self, data: Any) -> Any:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in super().to_internal_value(data).items()
        }
        return Criteria(**values)

    def to_representation(self, instance: Criteria) -> dict[str, Any]:
        """Return the criteria that have a value."""
        values = instance.values()
        return {
            TABLE[name].key: self.fields[TABLE[name].key].to_representation(values[name])
            for name in values
        }


class ShownCriteriaSerializer(CriteriaSerializer):
    """The criteria of a replay."""

    stored = serializers.DictField(
        required=False,
        help_text="The criteria as another version stored them; then there are no others.",
    )


def shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a replay's criteria by their keys; those of another version as they were stored."""
    try:
        criteria = Criteria.from_json(stored)
    except ValueError:
        return {"stored": stored}
    return dict(CriteriaSerializer(criteria).data)


def _field(row: Criterion) -> Any:
    """Return the field of a criterion."""
    options = {} if row.key == row.name else {"source": row.name}
    return field_of(row.kind, row.many, required=False, help_text=row.help, **options)


def field_of(kind: value_kinds.ValueKind, many: int = 0, **options: Any) -> Any:
    """Return a field for a value of a kind, or for up to ``many`` of them."""
    if many:
        return Several(field_of(kind), many, **options)
    match kind:
        case value_kinds.Pattern(max_length=length):
            return PatternField(max_length=length, **options)
        case value_kinds.Text(max_length=length):
            return Text(max_length=length, **options)
        case value_kinds.Number(minimum=minimum, maximum=maximum):
            return Number(min_value=minimum, max_value=maximum, **options)
        case value_kinds.Word(choices=choices):
            return Word(choices, **options)
        case value_kinds.Flag():
            return Flag(**options)
        case value_kinds.Guid():
            return Guid(**options)
    return TimeField(**options)
