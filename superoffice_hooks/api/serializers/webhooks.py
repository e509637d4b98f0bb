"""Webhooks at SuperOffice as JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Watch
from .rows import ReadOnlySerializer


class WantedSerializer(serializers.Serializer[Any]):
    """The webhook that WEBHOOKS wants, without values of headers and properties."""

    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    states_of = serializers.CharField(help_text="The endpoint whose webhook this one reports on.")
    headers = serializers.ListField(child=serializers.CharField())
    properties = serializers.ListField(child=serializers.CharField())
    error_emails = serializers.ListField(child=serializers.CharField(), allow_null=True)


class DifferenceSerializer(serializers.Serializer[Any]):
    """Something that is not as it is wanted."""

    key = serializers.CharField()
    wanted = serializers.CharField()
    actual = serializers.CharField()


class HistorySerializer(ReadOnlySerializer):
    """What was seen of a webhook, or done about it."""

    # Texts in the schema: SuperOffice may have other states.
    state = serializers.CharField()
    ping = serializers.CharField(help_text="`arrived`, `lost`, or empty.")
    action = serializers.CharField(help_text="What was done; empty for a look.")

    class Meta:
        model = Watch
        fields: tuple[str, ...] = (
            "id",
            "state",
            "ping",
            "reason",
            "action",
            "who",
            "since",
            "looked_at",
        )


class KnownSerializer(HistorySerializer):
    """What SuperOffice has, as the last look saw it."""

    differences = serializers.SerializerMethodField()

    class Meta(HistorySerializer.Meta):
        fields = (
            *HistorySerializer.Meta.fields,
            "tenant",
            "webhook",
            "differences",
            "actual",
            "total_calls",
            "total_errors",
            "consecutive_errors",
            "last_error",
        )

    @extend_schema_field(DifferenceSerializer(many=True))
    def get_differences(self, watch: Watch) -> list[dict[str, str]]:
        """Return what differs, each with its names."""
        names = ("key", "wanted", "actual")
        return [dict(zip(names, row, strict=True)) for row in watch.differences]


class WebhookSerializer(serializers.Serializer[Any]):
    """The webhook of an endpoint: what is wanted, and what SuperOffice has."""

    endpoint = serializers.CharField()
    delivers = serializers.BooleanField(
        allow_null=True, help_text="As far as is known; null if nobody has looked."
    )
    is_as_wanted = serializers.BooleanField(allow_null=True)
    is_unknown = serializers.BooleanField(
        help_text="Whether the last look could not read the state; `known` is older then."
    )
    problem = serializers.CharField(help_text="Why it is not known, or what is wrong in WEBHOOKS.")
    wanted = WantedSerializer(allow_null=True)
    known = KnownSerializer(allow_null=True)


class WebhookListSerializer(serializers.Serializer[Any]):
    """All webhooks that are wanted."""

    results = WebhookSerializer(many=True)


class WebhookDetailSerializer(WebhookSerializer):
    """The same with what was seen and done, the newest first."""

    history = HistorySerializer(many=True)


class WebhookActionSerializer(serializers.Serializer[Any]):
    """What came of it."""

    is_well = serializers.BooleanField()
    sentence = serializers.CharField(help_text="For people.")
    webhook = WebhookSerializer()
