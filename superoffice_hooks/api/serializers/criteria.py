"""Criteria in JSON, by the names that the filters of the lists have."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from rest_framework import serializers

from ... import moments
from ...models import Event
from ...selecting import Criteria
from ..expected import MOST_STARS
from .strict import Flag, Guid, Number, StrictSerializer, Text, Word

MOST = 10_000
"""Events that are named one by one: all are in one query, and in the Replay's row."""

_HIGHEST = 2**63 - 1
# They leave out some of what the others select, and select nothing themselves.
_LIMITS = {"latest", "limit", "up_to"}


class Moment(serializers.DateTimeField):
    """A date, or a date and time; without an offset, in the project's time zone."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "Expected a date (2026-05-19) or a date and time (2026-05-19T14:30), with or"
        " without an offset."
    }

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return moments.read(value)
        except (TypeError, ValueError):
            self.fail("invalid")


class Several(serializers.ListField):
    """A list with something in it: an empty one would be no criterion, and mean all events."""

    def __init__(self, child: Any, most: int, **options: Any) -> None:
        super().__init__(child=child, min_length=1, max_length=most, **options)


class CriteriaSerializer(StrictSerializer):
    """Which events are meant: those that meet every criterion that is given."""

    ids = Several(
        Number(min_value=1, max_value=_HIGHEST), MOST, required=False, help_text="Keys of events."
    )
    event_ids = Several(Guid(), MOST, required=False, help_text="SuperOffice's EventIds.")
    event = Text(
        source="name",
        max_length=100,
        required=False,
        help_text="An event name, or a pattern: `ticket.*`.",
    )
    entity = Text(max_length=100, required=False, help_text="`ticket`, `list.category`.")
    primary_key = Number(
        min_value=-_HIGHEST,
        max_value=_HIGHEST,
        required=False,
        help_text="The number of the record.",
    )
    tenant = Text(max_length=255, required=False, help_text="A tenant: `Cust12345`.")
    changed = Several(
        Text(max_length=255), 100, required=False, help_text="Changed fields; any of them will do."
    )
    status = Word(Event.Status.choices, required=False)
    endpoint = Text(
        max_length=50, required=False, help_text="The endpoint that it was delivered to."
    )
    webhook = Text(
        source="webhook_name",
        max_length=255,
        required=False,
        help_text="The webhook that delivered it.",
    )
    own = Flag(source="is_own", required=False, help_text="Whether we caused it ourselves.")
    since = Moment(required=False, help_text="Received then or later.")
    until = Moment(required=False, help_text="Received before.")
    latest = Flag(required=False, help_text="Leaves out superseded events.")
    up_to = Number(
        min_value=0, max_value=_HIGHEST, required=False, help_text="No event with a higher key."
    )
    limit = Number(
        min_value=1, max_value=_HIGHEST, required=False, help_text="So many, the oldest first."
    )

    def validate_event(self, pattern: str) -> str:
        """It is one that any database finds its way through."""
        if pattern.count("*") > MOST_STARS:
            raise serializers.ValidationError(
                f"Expected a pattern with at most {MOST_STARS} stars."
            )
        return pattern

    def to_internal_value(self, data: Any) -> Any:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in super().to_internal_value(data).items()
        }
        return Criteria(**given)

    def to_representation(self, instance: Criteria) -> dict[str, Any]:
        """The criteria that were given, and no others."""
        given = instance.given()
        return {
            name: field.to_representation(given[field.source])
            for name, field in self.fields.items()
            if field.source in given
        }


class ShownCriteriaSerializer(CriteriaSerializer):
    """Criteria as they were asked for."""

    stored = serializers.DictField(
        required=False, help_text="As another version wrote them, and no others, if it did."
    )


def selects(criteria: Criteria) -> bool:
    """Whether anything but all events is meant."""
    return bool(criteria.given().keys() - _LIMITS)


def shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A replay's criteria by their names here; those of another version as they were stored."""
    try:
        criteria = Criteria.from_json(stored)
    except ValueError:
        return {"stored": stored}
    shown: dict[str, Any] = CriteriaSerializer(criteria).data
    return shown
