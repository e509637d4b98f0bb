"""Figures as JSON: the statistics of fields, and the status."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Dispatcher, Event
from ...receiving.spool import Standing
from ...reports.levels import Level
from ...reports.verdict import Topic
from .rows import ReadOnlySerializer
from .strict import Time


class FieldCountSerializer(serializers.Serializer[Any]):
    """How often one field changed."""

    entity = serializers.CharField()
    name = serializers.CharField(help_text="In lower case.")
    # A field of that name, though REST framework's fields have a label of their own.
    label = serializers.CharField(help_text="For people.")  # type: ignore[assignment]
    times = serializers.IntegerField()
    events = serializers.IntegerField(help_text="Events of the entity.")


class NoiseCountSerializer(serializers.Serializer[Any]):
    """How many events of one entity changed nothing but noise."""

    entity = serializers.CharField()
    times = serializers.IntegerField()
    events = serializers.IntegerField(help_text="Events of the entity.")


class UnheardSerializer(serializers.Serializer[Any]):
    """A changed field for which no receiver is called."""

    event = serializers.CharField(source="event_name")
    name = serializers.CharField()
    times = serializers.IntegerField()


class UnseenSerializer(serializers.Serializer[Any]):
    """A name in a receiver's `fields` that no event has ever had."""

    receiver = serializers.CharField(help_text="Its dotted path.")
    pattern = serializers.CharField(help_text="Of its signal.")
    name = serializers.CharField()


class CountedSerializer(serializers.Serializer[Any]):
    """The statistics of the fields of some days."""

    since = Time()
    until = Time()
    # As the resource is called; REST framework's own attribute stays out of the way of instances.
    fields = FieldCountSerializer(many=True)  # type: ignore[assignment]
    noise = NoiseCountSerializer(many=True)
    unheard = UnheardSerializer(many=True)
    unseen = UnseenSerializer(many=True)


class StandingSerializer(serializers.Serializer[Any]):
    """How many events have one status."""

    status = serializers.ChoiceField(Event.Status.choices)
    events = serializers.IntegerField()
    at_least = serializers.BooleanField(help_text="Whether there may be more.")


class OldestSerializer(serializers.Serializer[Any]):
    """The pending event that was received first."""

    id = serializers.IntegerField()
    event = serializers.CharField()
    received_at = Time()
    age = serializers.FloatField(help_text="Seconds since then.")
    next_attempt_at = Time(allow_null=True)


class LatelySerializer(serializers.Serializer[Any]):
    """What came in during this hour and the last."""

    since = Time()
    events = serializers.DictField(
        child=serializers.IntegerField(), help_text="The number of events by their status now."
    )


class EndpointSerializer(serializers.Serializer[Any]):
    """The last delivery and the last test event of an endpoint."""

    name = serializers.CharField()
    last_delivery = Time(allow_null=True)
    last_test = Time(allow_null=True)


class DispatcherSerializer(ReadOnlySerializer):
    """A dispatcher that was seen lately."""

    class Meta:
        model = Dispatcher
        fields = ("host", "pid", "kind", "lanes", "hung", "started_at", "seen_at")


class WaitingSerializer(serializers.Serializer[Any]):
    """The gatherings that wait: calls for several events together."""

    gatherings = serializers.IntegerField(help_text="How many wait.")
    at_least = serializers.BooleanField(help_text="Whether there may be more.")
    due = serializers.IntegerField(help_text="How many of them are due.")
    overdue = serializers.IntegerField(help_text="How many are due for more than five minutes.")
    oldest_due = serializers.FloatField(
        help_text="The seconds for which the first of them has been due; 0 if none is."
    )


class DispatchingSerializer(serializers.Serializer[Any]):
    """Whether what is due is dispatched."""

    due = serializers.IntegerField(help_text="How many events are due.")
    at_least = serializers.BooleanField(help_text="Whether there may be more.")
    oldest_due = serializers.FloatField(
        help_text="The seconds for which the first of them has been due; 0 if none is."
    )
    waiting = WaitingSerializer()
    dispatchers = DispatcherSerializer(many=True)
    last_seen = Time(allow_null=True, help_text="When a dispatcher was last seen; null for never.")


class SpoolSerializer(serializers.Serializer[Any]):
    """The spool of the machine that answers."""

    length = serializers.IntegerField(help_text="How many deliveries wait in it.")
    age = serializers.SerializerMethodField(
        help_text="For how many seconds the oldest of them has waited."
    )
    bytes = serializers.IntegerField(help_text="Their size.")
    set_aside = serializers.IntegerField(
        help_text="How many deliveries can never be stored and need a person."
    )

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_age(self, standing: Standing) -> float | None:
        return None if standing.age is None else standing.age.total_seconds()


class VerdictSerializer(serializers.Serializer[Any]):
    """Whether a person is needed, and what for."""

    level = serializers.ChoiceField([level.name.lower() for level in Level])
    sentence = serializers.CharField(help_text="For people.")
    findings = serializers.ListField(
        child=serializers.ChoiceField([topic.value for topic in Topic]),
        help_text="What it is about, by urgency.",
    )


class StatusSerializer(serializers.Serializer[Any]):
    """The status."""

    at = Time()
    verdict = VerdictSerializer()
    statuses = StandingSerializer(many=True)
    oldest_pending = OldestSerializer(allow_null=True)
    lately = LatelySerializer()
    endpoints = EndpointSerializer(many=True)
    dispatching = DispatchingSerializer()
    spool = SpoolSerializer()
    problems = serializers.ListField(
        child=serializers.CharField(),
        help_text="What is wrong with the dispatching, in sentences; empty if nothing is.",
    )
