"""Failure groups as JSON, and the bodies that set their states."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import FailureGroup
from ...reports import failure_groups
from .criteria import TimeField
from .replays import LONGEST_REASON
from .rows import RowSerializer
from .strict import StrictSerializer, Text, Time


class FailureGroupSerializer(RowSerializer):
    """Failures of one receiver with the same cause."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "state": ("state", "muted_until"),
        "still_failed": (),
    }

    # Texts in the schema: as words of a choice they would rename the states of a replay.
    state = serializers.CharField(
        source="current_state", read_only=True, help_text="`open`, `muted` or `resolved`."
    )
    said = serializers.CharField(
        help_text="The state that `who` set, or empty; a failure may have opened the group since."
    )
    still_failed = serializers.IntegerField(
        min_value=0,
        help_text="How many events are still failed for this cause, those to be retried included.",
    )

    class Meta:
        model = FailureGroup
        fields: tuple[str, ...] = (
            "id",
            "receiver",
            "exception",
            "frame",
            "error",
            "state",
            "still_failed",
            "first_seen",
            "last_seen",
            "muted_until",
            "said",
            "who",
            "reason",
            "said_at",
            "reopened_at",
        )

    @classmethod
    def rows(cls, rows: QuerySet[Any], chosen: Iterable[str]) -> QuerySet[Any]:
        names = set(chosen)
        rows = super().rows(rows, names)
        return failure_groups.counted(rows) if "still_failed" in names else rows


class ExampleSerializer(serializers.Serializer[Any]):
    """The newest run of a failure group."""

    event = serializers.IntegerField(source="event_id", help_text="The key of the event.")
    started_at = Time()
    error = serializers.CharField()
    traceback = serializers.CharField()


class FailureGroupDetailSerializer(FailureGroupSerializer):
    """The same with an example."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **FailureGroupSerializer.reads,
        "example": (),
    }

    example = serializers.SerializerMethodField()

    class Meta(FailureGroupSerializer.Meta):
        fields = (*FailureGroupSerializer.Meta.fields, "example")

    @extend_schema_field(ExampleSerializer(allow_null=True))
    def get_example(self, group: FailureGroup) -> Any:
        """Return the newest run whose event is still failed, or else the newest; null if none."""
        run = failure_groups.example(group)
        return ExampleSerializer(run).data if run else None


class StateSerializer(StrictSerializer):
    """Why a failure group has another state, or what was done about its events."""

    reason = Text(max_length=LONGEST_REASON, help_text="Why, or what was done.")

    def get_initial(self) -> dict[str, Any]:
        """Return what the form of the browsable API begins with."""
        return {"reason": ""}


class MuteSerializer(StateSerializer):
    """Why a failure group is muted, and until when."""

    until = TimeField(
        default=None,
        allow_null=True,
        help_text="The first failure after that opens the group again; left out, none does.",
    )

    def validate_until(self, until: datetime | None) -> datetime | None:
        """Refuse a time that has passed."""
        if until and until <= timezone.now():
            raise serializers.ValidationError("Expected a time to come.")
        return until


class HandledSerializer(serializers.Serializer[Any]):
    """How many events were marked as handled."""

    handled = serializers.IntegerField(min_value=0)
