"""What an event changed: a row for each field, and the headline of the event's page."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from ..models import Event
from ..wire.dictionary import FieldDescription
from ..wire.field_values import Change
from . import display
from .summary import record

MAX_SHOWN = 20
"""Fields that are shown at once; the others are folded."""
_NAME_LENGTH = 100
_VALUE_LENGTH = 30
"""Characters of a value in the headline."""


_REFERENCE = re.compile(
    r"(the |optional )?(primary key|reference|pointer)( to)?( the)?( [\w-]+){0,2}?"
    r"( table| definition)?( \(auto-incremented\))?\.?|(optional|user-defined) \w+ reference",
    re.IGNORECASE,
)
"""A description that says no more than the field's name and its type."""


class Field(NamedTuple):
    """A changed field, as the page shows it."""

    name: str
    label: str
    description: str
    is_noise: bool
    is_known: bool
    """Whether SuperOffice sent the values before and after."""
    before: SafeString
    after: SafeString


def fields(event: Event, changes: Mapping[str, Change]) -> list[Field]:
    """Return the changed fields, noise last."""
    significant = set(event.significant_changes)
    rows = [
        Field(
            display.line(described.name, _NAME_LENGTH),
            display.line(described.label, _NAME_LENGTH),
            "" if _REFERENCE.fullmatch(described.description) else described.description,
            described.name not in significant,
            changes[described.name].known,
            *(display.bounded(_text(described, value)) for value in changes[described.name][:2]),
        )
        for described in event.changed_fields
    ]
    return sorted(rows, key=lambda field: field.is_noise)


def headline(event: Event, changes: Mapping[str, Change]) -> str:
    """Return what happened, in short: ``ticket 527331: priority 2 → 3 and 2 more``."""
    if event.is_test:
        return gettext("Test of a webhook")
    of = display.line(record(event), _NAME_LENGTH) or gettext("(no name)")
    if event.action == "changed" and event.changes:
        happened = _first_change(event, changes)
        if more := len(event.changes) - 1:
            happened = ngettext(
                "%(change)s and %(count)d more", "%(change)s and %(count)d more", more
            ) % {"change": happened, "count": more}
    else:
        happened = display.line(event.action, _NAME_LENGTH) or gettext("(no name)")
    return gettext("%(record)s: %(happened)s") % {"record": of, "happened": happened}


def _first_change(event: Event, changes: Mapping[str, Change]) -> str:
    """Return the first field that is no noise, preferably one with its values."""
    names = event.significant_changes or event.changes
    name = next((name for name in names if changes[name].known), names[0])
    shown = display.line(name, _NAME_LENGTH)
    if not changes[name].known:
        return shown
    described = next(field for field in event.changed_fields if field.name == name)
    before, after = (
        display.line(_text(described, value), _VALUE_LENGTH) or "–"  # noqa: RUF001
        for value in changes[name][:2]
    )
    return f"{shown} {before} → {after}"


def _text(described: FieldDescription, value: Any) -> str:
    """Return a value with the meaning of an enum's number."""
    if isinstance(value, datetime):
        return display.at(value)
    meaning = described.meaning(value)
    return meaning if meaning == str(value) or value is None else f"{value} ({meaning})"
