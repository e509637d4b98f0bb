"""Reading a body: JSON of any origin, key by key, within bounds."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from .values import BIGINT, MAX_DIGITS, is_storable, parse_timestamp, storable

MAX_CHANGES = 1000
"""How many changed fields of one event count; the widest documented list has 47."""

MAX_CHANGES_LENGTH = 20_000
"""How many characters their names may have together."""

KEYS_OF_EVENT = (
    "EventId",
    "Timestamp",
    "Changes",
    "Event",
    "PrimaryKey",
    "Entity",
    "ContextIdentifier",
    "WebhookName",
)
"""The keys of a body that say which event it is, and of which record; no values."""

_NAME = "Event"
_TEXTS = {_NAME: 100, "ContextIdentifier": 100, "WebhookName": 255}
_NUMBERS = ("PrimaryKey", "ChangedByAssociateId")

# Any constant would do: it keeps the ids we derive apart from everybody else's.
_DERIVED_IDS = UUID("6c0b1d5e-3a63-5d2f-9a55-7a2c7f6f1d0b")


class Unreadable(ValueError):
    """The body is no JSON object. The message says why, without quoting the body."""


def changed_names(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in ``Changes``, case and order as sent, within our bounds.

    Empty if the list is missing or no list.
    """
    changes = payload.get("Changes")
    if not isinstance(changes, list):
        return ()
    names = [name for name in changes if isinstance(name, str)]
    if len(names) <= MAX_CHANGES and sum(map(len, names)) <= MAX_CHANGES_LENGTH:
        return tuple(names)
    names, length = [], 0
    for name in changes:
        if isinstance(name, str):
            length += len(name)
            if length > MAX_CHANGES_LENGTH or len(names) == MAX_CHANGES:
                break
            names.append(name)
    return tuple(names)


def identity_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a payload says which event it is and of which record, and no values.

    A value of another type than it should have may hold anything, so it is left out.
    """
    kept = {key: payload[key] for key in KEYS_OF_EVENT if isinstance(payload.get(key), str | int)}
    return kept | {"Changes": list(changed_names(payload))} if "Changes" in payload else kept


def derived_id(text: str) -> UUID:
    """Return an id that is always the same for a text."""
    return uuid5(_DERIVED_IDS, text)


class Body:
    """A JSON object read key by key; what is odd goes into ``problems``."""

    def __init__(self, body: bytes) -> None:
        self.problems: list[str] = []
        is_plain = is_storable(body)
        try:
            sent = json.loads(
                body,
                strict=False,
                object_pairs_hook=self._object,
                parse_constant=self._constant,
                parse_float=self._float,
                parse_int=None if is_plain else self._int,
            )
        except RecursionError:
            raise Unreadable("The body is nested too deeply.") from None
        except UnicodeDecodeError:
            raise Unreadable("The body is not UTF-8 text.") from None
        except json.JSONDecodeError as error:
            raise Unreadable(
                f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            ) from None
        if not isinstance(sent, dict):
            raise Unreadable("The body is JSON, but not an object.")
        self.payload: dict[str, Any] = sent if is_plain else storable(sent)
        if self.payload is not sent and self.payload != sent:
            self.problems.append(
                "The payload shows replacements for what a database cannot store;"
                " the body has the original."
            )

    def texts(self) -> list[str]:
        """Return the name of the event, its tenant and its webhook."""
        texts = []
        for key, limit in _TEXTS.items():
            text = self.payload.get(key)
            if text is None:
                text = ""
            elif not isinstance(text, str):
                self.problems.append(f"{key} is not text.")
                text = ""
            if key == _NAME:
                # As all names are stored. Before it is cut: lower case can be longer, as that of a
                # dotted capital I.
                text = " ".join(text.lower().split())
            if len(text) > limit:
                self.problems.append(f"{key} is longer than {limit} characters and was cut.")
                text = text[:limit].rstrip() if key == _NAME else text[:limit]
            texts.append(text)
        return texts

    def numbers(self) -> list[int | None]:
        """Return the primary key of the record and the associate who changed it."""
        numbers: list[int | None] = []
        for key in _NUMBERS:
            value = self.payload.get(key)
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
                value = int(value)
            is_number = type(value) is int and value in BIGINT
            if not (is_number or value is None):
                self.problems.append(f"{key} is not a 64-bit number.")
            numbers.append(value if is_number else None)
        return numbers

    def guid(self, key: str) -> UUID | None:
        value = self.payload.get(key)
        if value is None or value == "":
            return None
        try:
            return UUID(value.strip())
        except (AttributeError, ValueError):
            self.problems.append(f"{key} is no GUID; a fixed one was derived from it.")
            return derived_id(json.dumps(value))

    def timestamp(self, key: str) -> datetime | None:
        value = self.payload.get(key)
        if value is None:
            return None
        try:
            time = parse_timestamp(value if isinstance(value, str) else "")
        except (ValueError, OverflowError):
            self.problems.append(f"{key} is not a readable timestamp.")
            return None
        if time and time.tzinfo is None:
            self.problems.append(f"{key} has no offset and was read as local time.")
        return time

    def changes(self) -> tuple[str, ...]:
        names = changed_names(self.payload)
        sent = self.payload.get("Changes")
        if sent is None or (isinstance(sent, list) and len(sent) == len(names)):
            return names
        if not isinstance(sent, list) or not all(isinstance(name, str) for name in sent):
            self.problems.append("Changes is not a list of names.")
        else:
            self.problems.append(
                f"Changes has more than {MAX_CHANGES} names or {MAX_CHANGES_LENGTH} characters;"
                " the rest counts for nothing."
            )
        return names

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            self.problems.append("The body has a key more than once; the last value counts.")
        return values

    def _constant(self, text: str) -> None:
        self.problems.append(
            "The body has NaN or Infinity, which JSON does not know; read as null."
        )

    def _float(self, text: str) -> float | None:
        number = float(text)
        if math.isfinite(number):
            return number
        self._constant(text)
        return None

    def _int(self, text: str) -> int | str:
        if len(text) <= MAX_DIGITS:
            return int(text)
        self.problems.append(
            f"The body has a number of more than {MAX_DIGITS} digits; read as text."
        )
        return text
