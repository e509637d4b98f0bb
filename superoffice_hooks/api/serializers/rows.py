"""Serializers of rows, which read only the chosen fields."""

import base64
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import QuerySet
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from ...wire.notification import KEPT_HEADERS, REDACTED
from .strict import Time


class ReadOnlySerializer(serializers.ModelSerializer[Any]):
    """A read-only ModelSerializer; keeps max_length and choices out of the schema."""

    serializer_field_mapping: ClassVar = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: Time,
    }

    def get_extra_kwargs(self) -> dict[str, Any]:
        names: Iterable[str] = self.Meta.fields
        return {name: {"read_only": True} for name in names}


class RowSerializer(ReadOnlySerializer):
    """A row with the fields that ``chosen`` in its context names; default: all."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The columns of a field, unless it is the column of the same name."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all fields, in order."""
        return tuple(cls.Meta.fields)

    @classmethod
    def rows(cls, rows: QuerySet[Any], chosen: Iterable[str]) -> QuerySet[Any]:
        """Return the rows with the columns of these fields only."""
        columns = {column for name in chosen for column in cls.reads.get(name, (name,))}
        return rows.only("pk", *columns)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        chosen = self.context.get("chosen", fields)
        return {name: field for name, field in fields.items() if name in chosen}


class RowSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Make every field of a row optional in the schema."""

    target_class = RowSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        mapped.pop("required", None)
        return mapped


class HeadersField(serializers.DictField):
    """The headers of the allow-list, and what was redacted."""

    child = serializers.CharField()

    def to_representation(self, value: Mapping[str, str]) -> dict[str, str]:
        return {name: value[name] for name in (*KEPT_HEADERS, REDACTED) if name in value}


class BodySerializer(serializers.Serializer[Any]):
    """A body, byte for byte."""

    encoding = serializers.ChoiceField(["utf-8", "base64"])
    content = serializers.CharField()


def body_of(sent: bytes) -> dict[str, str]:
    """Return a body as text, or as Base64 if it is not UTF-8."""
    try:
        return {"encoding": "utf-8", "content": sent.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "content": base64.b64encode(sent).decode()}


def exact(value: Any) -> Any:
    """Return a decoded value for JSON; decimals become text, because floats would round them."""
    match value:
        case Decimal():
            return str(value)
        case timedelta():
            return value.total_seconds()
        case dict():
            return {key: exact(item) for key, item in value.items()}
        case list() | tuple():
            return [exact(item) for item in value]
        case _:
            return value
