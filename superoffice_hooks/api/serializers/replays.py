"""Replays as JSON: what starts one, its preview, and its row."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Replay
from ...receivers import connected
from ...replay.criteria import selects
from ...replay.options import ONLY_FAILED, ONLY_NEWEST
from ...replay.preview import Preview
from .criteria import CriteriaSerializer, Several, ShownCriteriaSerializer, shown
from .rows import RowSerializer
from .strict import Flag, StrictSerializer, Text

LONGEST_REASON = 2000


class NothingSerializer(StrictSerializer):
    """An empty body: nothing, or an empty object."""


class EventReplaySerializer(StrictSerializer):
    """The receivers and the reason of a replay."""

    reason = Text(max_length=LONGEST_REASON, help_text="It is kept with the replay.")
    receivers = Several(
        Text(max_length=255),
        100,
        default=None,
        allow_null=True,
        help_text="Dotted paths of the receivers to call; left out, all are called.",
    )
    only_failed = Flag(default=False, help_text=ONLY_FAILED.help)

    def validate_receivers(self, paths: list[str] | None) -> list[str] | None:
        """Refuse a receiver that is not connected: it would never be called."""
        known = sorted({receiver.path for receiver in connected()})
        if not set(paths or ()) <= set(known):
            listed = ", ".join(known) or "none"
            raise serializers.ValidationError(
                f"No such receiver is connected. Connected: {listed}."
            )
        return paths

    def get_initial(self) -> dict[str, Any]:
        """Return the initial values of the browsable API's form."""
        return {"reason": ""}


class NewReplaySerializer(EventReplaySerializer):
    """The events, the receivers and the reason of a replay."""

    criteria = CriteriaSerializer(required=False)
    only_newest = Flag(default=False, help_text=ONLY_NEWEST.help)
    all = Flag(default=False, help_text="All events; needed if no criteria select any.")
    reason = Text(
        max_length=LONGEST_REASON,
        required=False,
        help_text="It is kept with the replay. Required unless it is a dry run.",
    )
    dry_run = Flag(default=False, help_text="Answers with the preview and changes nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a replay without a criterion or a reason."""
        criteria = attrs.get("criteria")
        if not (criteria and selects(criteria)) and not attrs["all"]:
            raise serializers.ValidationError(
                {
                    "criteria": "Nothing selects the events to replay. Give a criterion that does,"
                    ' as {"status": "failed"}; or "all": true, to replay every stored event.'
                }
            )
        if not (attrs["dry_run"] or "reason" in attrs):
            raise serializers.ValidationError(
                {"reason": "Expected a reason, unless it is a dry run."}
            )
        return attrs

    def get_initial(self) -> dict[str, Any]:
        """Return the initial values of the browsable API's form."""
        return {"criteria": {"status": "failed"}, "reason": "", "dry_run": True}


class CallsSerializer(serializers.Serializer[Any]):
    """The number of events for which a receiver would be called."""

    receiver = serializers.CharField()
    events = serializers.IntegerField(min_value=0)


class PreviewSerializer(serializers.Serializer[Any]):
    """The preview: what a replay would do."""

    criteria = CriteriaSerializer(
        help_text="The same events without later ones: send these criteria to replay exactly them."
    )
    events = serializers.IntegerField(min_value=0)
    records = serializers.IntegerField(min_value=0)
    superseded = serializers.IntegerField(
        min_value=0,
        help_text="How many of them are superseded: a newer event of the same record has come in.",
    )
    superseded_records = serializers.IntegerField(
        min_value=0,
        help_text="The records of which all events that receivers would be called for are"
        " superseded. With `unsuperseded`, no event of them would be left.",
    )
    is_cut = serializers.BooleanField(
        help_text="Whether there are more events: the figures are of the oldest ones."
    )
    receivers = serializers.SerializerMethodField()
    joining = serializers.ListField(
        child=serializers.CharField(),
        help_text="Those of the receivers that are called for several events together in a"
        " dispatch. The replay calls them for each event by itself.",
    )

    @extend_schema_field(CallsSerializer(many=True))
    def get_receivers(self, preview: Preview) -> list[dict[str, Any]]:
        return [{"receiver": path, "events": count} for path, count in preview.calls.items()]


class ReplaySerializer(RowSerializer):
    """A replay with its progress."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "state": ("finished_at", "cancelled_by", "claim", "claimed_until"),
        "remaining": ("planned", "done", "failed", "finished_at", "cancelled_by"),
    }

    state = serializers.ChoiceField(Replay.State.choices, read_only=True)
    receivers = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="Those to call; null means all."
    )
    remaining = serializers.IntegerField(
        read_only=True, help_text="Events to go, or left when it was cancelled; 0 if it finished."
    )

    class Meta:
        model = Replay
        fields: tuple[str, ...] = (
            "id",
            "state",
            "claimed_by",
            "who",
            "reason",
            "receivers",
            "only_failed",
            "only_newest",
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


class ReplayDetailSerializer(ReplaySerializer):
    """A replay with its criteria, which may list many events."""

    criteria = serializers.SerializerMethodField(help_text="Which events; empty means all.")

    class Meta(ReplaySerializer.Meta):
        fields = (*ReplaySerializer.Meta.fields, "criteria")

    @extend_schema_field(ShownCriteriaSerializer)
    def get_criteria(self, replay: Replay) -> dict[str, Any]:
        return shown(replay.criteria)
