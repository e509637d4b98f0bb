"""What replays are asked for with, and shown as."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Replay
from ...signals import connected
from .criteria import CriteriaSerializer, Several, ShownCriteriaSerializer, selects, shown
from .rows import RowSerializer
from .strict import Flag, StrictSerializer, Text

LONGEST_REASON = 2000


class NothingSerializer(StrictSerializer):
    """The body of what needs none: empty, or an empty object."""


class EventReplaySerializer(StrictSerializer):
    """How an event is replayed."""

    reason = Text(max_length=LONGEST_REASON, help_text="Why; it is kept with the replay.")
    receivers = Several(
        Text(max_length=255),
        100,
        default=(),
        help_text="Dotted paths of the receivers to call; left out, all are called.",
    )
    only_failed = Flag(
        default=False,
        help_text="Calls, for each event, only receivers whose last run for it was no success.",
    )

    def validate_receivers(self, paths: list[str]) -> list[str]:
        """They are connected; one that is misspelt would leave nobody to call."""
        known = sorted({receiver.path for receiver in connected()})
        if not set(paths) <= set(known):
            listed = ", ".join(known) or "none"
            raise serializers.ValidationError(
                f"No such receiver is connected. Connected: {listed}."
            )
        return paths

    def get_initial(self) -> dict[str, Any]:
        """What the form of the browsable API begins with."""
        return {"reason": ""}


class NewReplaySerializer(EventReplaySerializer):
    """Which events are replayed, how, and why."""

    criteria = CriteriaSerializer(required=False)
    all = Flag(default=False, help_text="All events; needed if no criteria select any.")
    reason = Text(
        max_length=LONGEST_REASON,
        required=False,
        help_text="Why; it is kept with the replay. Needed unless it is a dry run.",
    )
    dry_run = Flag(default=False, help_text="Says what would be done and changes nothing.")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Nothing is replayed without a choice and a reason."""
        criteria = asked.get("criteria")
        if not (criteria and selects(criteria)) and not asked["all"]:
            raise serializers.ValidationError(
                {
                    "criteria": "Nothing selects the events to replay. Give a criterion that does,"
                    ' as {"status": "failed"}; or "all": true, to replay every stored event.'
                }
            )
        if not (asked["dry_run"] or "reason" in asked):
            raise serializers.ValidationError({"reason": "Say why, unless it is a dry run."})
        return asked

    def get_initial(self) -> dict[str, Any]:
        """What the form of the browsable API begins with."""
        return {"criteria": {"status": "failed"}, "reason": "", "dry_run": True}


class CallsSerializer(serializers.Serializer[Any]):
    """For how many events a receiver would be called."""

    receiver = serializers.CharField()
    events = serializers.IntegerField(min_value=0)


class PlanSerializer(serializers.Serializer[Any]):
    """What a replay would do."""

    criteria = CriteriaSerializer(
        help_text="The same events, and none that come in later: send them to replay just these."
    )
    events = serializers.IntegerField(min_value=0)
    records = serializers.IntegerField(min_value=0)
    superseded = serializers.IntegerField(
        min_value=0, help_text="After how many a newer event of the same record has come in."
    )
    receivers = CallsSerializer(many=True)


class ReplaySerializer(RowSerializer):
    """A replay, and how far it has come."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "state": ("finished_at", "cancelled_by", "position"),
        "reason": ("why",),
        "remaining": ("planned", "done", "failed", "finished_at"),
    }

    state = serializers.ChoiceField(Replay.State.choices, read_only=True)
    reason = serializers.CharField(source="why")
    receivers = serializers.ListField(
        child=serializers.CharField(), help_text="Those that were asked for; empty means all."
    )
    remaining = serializers.SerializerMethodField(help_text="0 once the replay has ended.")

    class Meta:
        model = Replay
        fields: tuple[str, ...] = (
            "id",
            "state",
            "who",
            "reason",
            "receivers",
            "only_failed",
            "planned",
            "done",
            "failed",
            "skipped",
            "busy",
            "remaining",
            "created_at",
            "finished_at",
            "cancelled_by",
        )

    def get_remaining(self, replay: Replay) -> int:
        """How many events are left; none after the end, whatever was not done."""
        return 0 if replay.finished_at else replay.remaining


class ReplayDetailSerializer(ReplaySerializer):
    """The same with the criteria, which may name many events."""

    criteria = serializers.SerializerMethodField()

    class Meta(ReplaySerializer.Meta):
        fields = (*ReplaySerializer.Meta.fields, "criteria")

    @extend_schema_field(ShownCriteriaSerializer)
    def get_criteria(self, replay: Replay) -> dict[str, Any]:
        """Which events; empty means all."""
        return shown(replay.criteria)
