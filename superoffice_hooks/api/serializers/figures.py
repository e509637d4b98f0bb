"""Figures as JSON: what is counted of fields, and how things stand."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...models import Dispatcher, Event
from ...spool import Standing
from .rows import ToldSerializer


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
    """A field whose change no receiver is told of."""

    event = serializers.CharField(source="event_name")
    name = serializers.CharField()
    times = serializers.IntegerField()


class UnseenSerializer(serializers.Serializer[Any]):
    """A name that a receiver listens to, and that no event ever had."""

    receiver = serializers.CharField(help_text="Its dotted path.")
    pattern = serializers.CharField(help_text="Of its signal.")
    name = serializers.CharField()


class CountedSerializer(serializers.Serializer[Any]):
    """What the events of some days say of fields."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
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
    received_at = serializers.DateTimeField()
    age = serializers.FloatField(help_text="Seconds since then.")
    next_attempt_at = serializers.DateTimeField(allow_null=True)


class LatelySerializer(serializers.Serializer[Any]):
    """What came in during this hour and the last."""

    since = serializers.DateTimeField()
    events = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many have which status now."
    )


class EndpointSerializer(serializers.Serializer[Any]):
    """When an endpoint last had a delivery that was let in."""

    name = serializers.CharField()
    last_delivery = serializers.DateTimeField(allow_null=True)
    last_test = serializers.DateTimeField(allow_null=True)


class DispatcherSerializer(ToldSerializer):
    """A dispatcher that was seen lately."""

    class Meta:
        model = Dispatcher
        fields = ("host", "pid", "kind", "lanes", "hung", "started_at", "seen_at")


class DispatchingSerializer(serializers.Serializer[Any]):
    """Whether what is due is dispatched."""

    due = serializers.IntegerField(help_text="How many events are due.")
    at_least = serializers.BooleanField(help_text="Whether there may be more.")
    oldest_due = serializers.FloatField(
        help_text="For how many seconds the longest due of them has waited; 0 if none is due."
    )
    dispatchers = DispatcherSerializer(many=True)
    last_seen = serializers.DateTimeField(
        allow_null=True, help_text="When any dispatcher was seen last; null for never."
    )


class SpoolSerializer(serializers.Serializer[Any]):
    """The spool of the machine that answers."""

    length = serializers.IntegerField(help_text="How many deliveries wait in it.")
    age = serializers.SerializerMethodField()
    bytes = serializers.IntegerField(help_text="How much room they take.")
    set_aside = serializers.IntegerField(
        help_text="How many deliveries can never be stored and need a person."
    )

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_age(self, standing: Standing) -> float | None:
        """For how many seconds the oldest of them has waited."""
        return None if standing.age is None else standing.age.total_seconds()


class StatusSerializer(serializers.Serializer[Any]):
    """How things stand."""

    at = serializers.DateTimeField()
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
