"""Rejections as JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Rejection
from .rows import BodySerializer, RowSerializer, body_of, headers_of


class RejectionSerializer(RowSerializer):
    """A delivery that made no event, and why."""

    headers = serializers.SerializerMethodField()

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

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_headers(self, rejection: Rejection) -> dict[str, str]:
        """Those of an allow-list."""
        return headers_of(rejection.headers)


class RejectionDetailSerializer(RejectionSerializer):
    """The same with the body, of which only the head is kept if nobody signed it."""

    body = serializers.SerializerMethodField()

    class Meta:
        model = Rejection
        fields = (*RejectionSerializer.Meta.fields, "body")

    @extend_schema_field(BodySerializer)
    def get_body(self, rejection: Rejection) -> dict[str, Any]:
        """Byte for byte."""
        return body_of(bytes(rejection.body))
