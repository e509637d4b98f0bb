"""What rows have in common: fields that can be chosen, and read only if they are."""

import base64
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from ...notification import KEPT_HEADERS


class ToldSerializer(serializers.ModelSerializer[Any]):
    """A row that is told, and never taken in: what its columns could hold is not told with it."""

    def get_extra_kwargs(self) -> dict[str, Any]:
        names: Iterable[str] = self.Meta.fields
        return {name: {"read_only": True} for name in names}


class RowSerializer(ToldSerializer):
    """A row, with the fields that its context has as ``chosen``; without a choice, with all."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The columns that a field is made of, if that is not the column of its name."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All fields, in order."""
        return tuple(cls.Meta.fields)

    @classmethod
    def rows(cls, rows: QuerySet[Any], chosen: Iterable[str]) -> QuerySet[Any]:
        """The rows with the columns that these fields are made of."""
        columns = {column for name in chosen for column in cls.reads.get(name, (name,))}
        return rows.only("pk", *columns)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        chosen = self.context.get("chosen", fields)
        return {name: field for name, field in fields.items() if name in chosen}


class RowSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Tells the schema that any field of a row may be left out."""

    target_class = RowSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        mapped.pop("required", None)
        return mapped


class BodySerializer(serializers.Serializer[Any]):
    """A body, byte for byte."""

    encoding = serializers.ChoiceField(["utf-8", "base64"])
    content = serializers.CharField()


def body_of(sent: bytes) -> dict[str, str]:
    """A body as text; as Base64, if it is none."""
    try:
        return {"encoding": "utf-8", "content": sent.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "content": base64.b64encode(sent).decode()}


def headers_of(kept: Mapping[str, str]) -> dict[str, str]:
    """The headers that are worth keeping, whatever a row has."""
    return {name: kept[name] for name in KEPT_HEADERS if name in kept}


def exact(value: Any) -> Any:
    """A decoded value for JSON: an amount as text, which floats would round or not hold at all."""
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
