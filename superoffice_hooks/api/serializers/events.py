"""Events as JSON: what the list has of them, and what the page of one has besides."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import F, Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ... import watching
from ...models import Event, ReceiverRun, Redelivery
from ...notification import changed_names
from .rows import BodySerializer, RowSerializer, ToldSerializer, body_of, exact, headers_of

NEWEST = 200
"""So many runs and redeliveries of an event are told, the newest; hardly any event has ten."""


class EventSerializer(RowSerializer):
    """An event."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "event": ("name",),
        "webhook": ("webhook_name",),
        "own": ("is_own",),
        "happened_at": ("occurred_at", "received_at"),
        "stage": ("next_attempt_at", "claim", "begun_at", "attempts"),
        "changes": (),
    }

    event = serializers.CharField(source="name", help_text="Its name: `ticket.changed`.")
    webhook = serializers.CharField(source="webhook_name", help_text="That delivered it first.")
    own = serializers.BooleanField(source="is_own", help_text="Whether we caused it ourselves.")
    happened_at = serializers.DateTimeField(
        help_text="When it occurred; where that is unreadable, when it was received."
    )
    stage = serializers.SerializerMethodField()
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="What was odd about it, in sentences."
    )
    changes = serializers.SerializerMethodField()
    payload = serializers.DictField(help_text="The JSON object that SuperOffice sent.")

    class Meta:
        model = Event
        fields: tuple[str, ...] = (
            "id",
            "event_id",
            "event",
            "entity",
            "action",
            "primary_key",
            "tenant",
            "associate_id",
            "own",
            "webhook",
            "endpoint",
            "occurred_at",
            "received_at",
            "happened_at",
            "status",
            "stage",
            "attempts",
            "next_attempt_at",
            "finished_at",
            "problems",
            "changes",
            "payload",
        )

    @classmethod
    def rows(cls, rows: QuerySet[Any], chosen: Iterable[str]) -> QuerySet[Any]:
        """Of the payload no more than ``Changes``, if that is all that is asked for."""
        chosen = list(chosen)
        if "changes" in chosen and "payload" not in chosen:
            rows = rows.annotate(sent_changes=F("payload__Changes"))
        return super().rows(rows, chosen)

    @extend_schema_field(
        serializers.ChoiceField([stage.value for stage in watching.Stage], allow_null=True)
    )
    def get_stage(self, event: Event) -> str | None:
        """Where an unfinished event is; null once it is finished."""
        return watching.stage(event)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_changes(self, event: Event) -> tuple[str, ...]:
        """The names of the changed fields, as sent. None means unknown."""
        if hasattr(event, "sent_changes"):
            return changed_names({"Changes": event.sent_changes})
        return event.changes


class ChangedFieldSerializer(serializers.Serializer[Any]):
    """A changed field, and what was in it as far as SuperOffice told."""

    name = serializers.CharField(help_text="As sent.")
    # A field of that name, though REST framework's fields have a label of their own.
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="For people: `Ticket status`."
    )
    description = serializers.CharField(help_text="In English; empty if there is none.")
    type = serializers.CharField(help_text="As SuperOffice names it; empty if it is not known.")
    noise = serializers.BooleanField(help_text="Whether it changes whenever anything does.")
    known = serializers.BooleanField(help_text="Whether SuperOffice told both values.")
    before = serializers.JSONField()
    after = serializers.JSONField()
    before_meaning = serializers.CharField(help_text="What the number of an enum means.")
    after_meaning = serializers.CharField()


class RedeliverySerializer(ToldSerializer):
    """A repeated delivery of an event."""

    webhook = serializers.CharField(source="webhook_name")
    differs = serializers.BooleanField(help_text="Whether its body was another than the first.")

    class Meta:
        model = Redelivery
        fields = ("id", "received_at", "retry", "webhook", "differs")


class RunSerializer(ToldSerializer):
    """One call of one receiver, with its outcome."""

    replay = serializers.IntegerField(
        source="replay_id", allow_null=True, help_text="The replay it was part of, if any."
    )
    seconds = serializers.SerializerMethodField()

    class Meta:
        model = ReceiverRun
        fields = (
            "id",
            "receiver",
            "replay",
            "attempt",
            "outcome",
            "started_at",
            "seconds",
            "error",
            "traceback",
        )

    def get_seconds(self, run: ReceiverRun) -> float:
        """How long it took."""
        return run.duration.total_seconds()


class EventDetailSerializer(EventSerializer):
    """An event, with what was sent and what came of it."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **EventSerializer.reads,
        "superseded": ("entity", "primary_key", "tenant", "occurred_at", "received_at"),
        "body": ("body", "pruned_at"),
        "changed_fields": (
            "entity",
            "action",
            "primary_key",
            "tenant",
            "occurred_at",
            "received_at",
            "payload",
        ),
        "redeliveries": (),
        "runs": (),
    }

    superseded = serializers.BooleanField(
        source="is_superseded", help_text="Whether a newer event of the record has come in."
    )
    headers = serializers.SerializerMethodField()
    body = serializers.SerializerMethodField()
    changed_fields = serializers.SerializerMethodField()
    redeliveries = serializers.SerializerMethodField()
    runs = serializers.SerializerMethodField()

    class Meta:
        model = Event
        fields = (
            *EventSerializer.Meta.fields,
            "superseded",
            "deaths",
            "begun_at",
            "begun_by",
            "calling",
            "handled_by",
            "handled_why",
            "pruned_at",
            "remote_addr",
            "headers",
            "body",
            "changed_fields",
            "redeliveries",
            "runs",
        )

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_headers(self, event: Event) -> dict[str, str]:
        """Those of an allow-list; none once they are pruned."""
        return headers_of(event.headers)

    @extend_schema_field(BodySerializer(allow_null=True))
    def get_body(self, event: Event) -> dict[str, str] | None:
        """Byte for byte; null once it is pruned."""
        return None if event.pruned_at else body_of(bytes(event.body))

    @extend_schema_field(ChangedFieldSerializer(many=True))
    def get_changed_fields(self, event: Event) -> list[dict[str, Any]]:
        """The changed fields in the order sent, with what was in them as far as that is known."""
        changes = event.diff()
        significant = set(event.significant_changes)
        return [
            {
                "name": field.name,
                "label": field.label,
                "description": field.description,
                "type": field.type,
                "noise": field.name not in significant,
                "known": changes[field.name].known,
                "before": exact(changes[field.name].before),
                "after": exact(changes[field.name].after),
                "before_meaning": field.meaning(changes[field.name].before),
                "after_meaning": field.meaning(changes[field.name].after),
            }
            for field in event.changed_fields
        ]

    @extend_schema_field(RedeliverySerializer(many=True))
    def get_redeliveries(self, event: Event) -> Any:
        """Its repeated deliveries, the newest first."""
        newest = event.redeliveries.order_by("-pk").annotate(differs=Q(body__isnull=False))
        return RedeliverySerializer(newest.defer("body")[:NEWEST], many=True).data

    @extend_schema_field(RunSerializer(many=True))
    def get_runs(self, event: Event) -> Any:
        """The calls of its receivers, the newest first."""
        return RunSerializer(event.runs.order_by("-pk")[:NEWEST], many=True).data
