"""Events as JSON: in the list, and one event in detail."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import F, Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Event, Redelivery
from ...reports import stages
from ...wire.notification import changed_names
from .rows import BodySerializer, HeadersField, ReadOnlySerializer, RowSerializer, body_of, exact
from .runs import RunSerializer
from .strict import Time

NEWEST = 200
"""The number of runs and of redeliveries of an event, the newest; hardly any event has ten."""


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
    webhook = serializers.CharField(
        source="webhook_name", help_text="The webhook that delivered it first."
    )
    own = serializers.BooleanField(source="is_own", help_text="Whether we caused it ourselves.")
    happened_at = Time(
        help_text="When it occurred; where that is unreadable, when it was received."
    )
    stage = serializers.SerializerMethodField(
        help_text="Where an event of the queue is; null if it is not in the queue."
    )
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="What was odd about it, in sentences."
    )
    changes = serializers.SerializerMethodField(
        help_text="The names of the changed fields, as sent. An empty list means unknown."
    )
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
        """Return the rows, with ``Changes`` alone if the payload is not chosen."""
        chosen = list(chosen)
        if "changes" in chosen and "payload" not in chosen:
            rows = rows.annotate(sent_changes=F("payload__Changes"))
        return super().rows(rows, chosen)

    @extend_schema_field(
        serializers.ChoiceField([stage.value for stage in stages.Stage], allow_null=True)
    )
    def get_stage(self, event: Event) -> str | None:
        return stages.stage(event)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_changes(self, event: Event) -> tuple[str, ...]:
        if hasattr(event, "sent_changes"):
            return changed_names({"Changes": event.sent_changes})
        return event.changes


class ChangedFieldSerializer(serializers.Serializer[Any]):
    """A changed field, and its values as far as SuperOffice sent them."""

    name = serializers.CharField(help_text="As sent.")
    # A field of that name, though REST framework's fields have a label of their own.
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="For people: `Ticket status`."
    )
    description = serializers.CharField(help_text="In English; empty if there is none.")
    type = serializers.CharField(help_text="As SuperOffice names it; empty if it is not known.")
    noise = serializers.BooleanField(help_text="Whether it changes with any other field.")
    known = serializers.BooleanField(help_text="Whether SuperOffice sent both values.")
    before = serializers.JSONField()
    after = serializers.JSONField()
    before_meaning = serializers.CharField(help_text="What the number of an enum means.")
    after_meaning = serializers.CharField()


class RedeliverySerializer(ReadOnlySerializer):
    """A repeated delivery of an event."""

    webhook = serializers.CharField(source="webhook_name")
    differs = serializers.BooleanField(help_text="Whether its body differs from the first.")

    class Meta:
        model = Redelivery
        fields = ("id", "received_at", "retry", "webhook", "differs")


class EventDetailSerializer(EventSerializer):
    """An event, with what was sent, and its receiver runs."""

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
    headers = HeadersField(
        read_only=True, help_text="Those of an allow-list; empty once they are pruned."
    )
    body = serializers.SerializerMethodField(help_text="Byte for byte; null once it is pruned.")
    changed_fields = serializers.SerializerMethodField(
        help_text="The changed fields as sent, with their values as far as these are known."
    )
    redeliveries = serializers.SerializerMethodField(
        help_text="Its repeated deliveries, the newest first."
    )
    runs = serializers.SerializerMethodField(help_text="Its receiver runs, the newest first.")

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
            "handled_reason",
            "pruned_at",
            "remote_addr",
            "headers",
            "body",
            "changed_fields",
            "redeliveries",
            "runs",
        )

    @extend_schema_field(BodySerializer(allow_null=True))
    def get_body(self, event: Event) -> dict[str, str] | None:
        return None if event.pruned_at else body_of(bytes(event.body))

    @extend_schema_field(ChangedFieldSerializer(many=True))
    def get_changed_fields(self, event: Event) -> list[dict[str, Any]]:
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
        newest = event.redeliveries.order_by("-pk").annotate(differs=Q(body__isnull=False))
        return RedeliverySerializer(newest.defer("body")[:NEWEST], many=True).data

    @extend_schema_field(RunSerializer(many=True))
    def get_runs(self, event: Event) -> Any:
        runs = event.runs.select_related("gathering").order_by("-pk")
        return RunSerializer(runs[:NEWEST], many=True).data
