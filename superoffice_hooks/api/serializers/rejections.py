"""Rejections as JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Rejection
from .rows import BodySerializer, HeadersField, RowSerializer, body_of


class RejectionSerializer(RowSerializer):
    """A delivery that made no event, with the reason."""

    headers = HeadersField(read_only=True, help_text="Those of an allow-list.")

    class Meta:
        model = Rejection
        fields: tuple[str, ...] = (
            "id",
            "received_at",
            "endpoint",
            "reason",
            "verified",
            "remote_addr",
            "headers",
        )


class RejectionDetailSerializer(RejectionSerializer):
    """A rejection with its body; of an unsigned one, only the first bytes are kept."""

    body = serializers.SerializerMethodField(help_text="Byte for byte.")

    class Meta:
        model = Rejection
        fields = (*RejectionSerializer.Meta.fields, "body")

    @extend_schema_field(BodySerializer)
    def get_body(self, rejection: Rejection) -> dict[str, Any]:
        return body_of(bytes(rejection.body))
