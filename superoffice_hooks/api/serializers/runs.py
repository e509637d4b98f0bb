"""Receiver runs as JSON."""

from rest_framework import serializers

from ...models import Gathering, ReceiverRun
from .rows import ReadOnlySerializer


class GatheringSerializer(ReadOnlySerializer):
    """The call for several events that an event waits for, which has joined it."""

    class Meta:
        model = Gathering
        fields = ("id", "quiet_at", "call_by", "next_attempt_at")


class RunSerializer(ReadOnlySerializer):
    """One receiver and one event: a call with its outcome, or what it has joined."""

    replay = serializers.IntegerField(
        source="replay_id", allow_null=True, help_text="The replay it was part of, if any."
    )
    seconds = serializers.SerializerMethodField(help_text="How long it took.")
    with_event = serializers.IntegerField(
        allow_null=True,
        help_text="The newest event of the call, if the receiver is called for several together.",
    )
    gathering = GatheringSerializer(
        allow_null=True, help_text="What it has joined, until the receiver is called."
    )

    class Meta:
        model = ReceiverRun
        fields = (
            "id",
            "receiver",
            "replay",
            "attempt",
            "outcome",
            "gathering",
            "with_event",
            "started_at",
            "seconds",
            "error",
            "traceback",
        )

    def get_seconds(self, run: ReceiverRun) -> float:
        return run.duration.total_seconds()
