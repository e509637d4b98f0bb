"""What SuperOffice's fields are called, hold and mean.

``dictionary.json`` is made from SuperOffice's documentation of its database, Copyright (c) 2020
SuperOffice Docs, MIT licence: LICENSES/superoffice-docs.txt. It is read when it is first needed.

The vocabulary is open: an entity or a field that is not in the dictionary is no mistake, it falls
back to its own name. Names compare without case, dots and underscores, see ``vocabulary.bare``.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from .event_names import bare

_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)


class FieldDescription(NamedTuple):
    """What is known of one field of an entity."""

    name: str
    """As in the call of ``describe``."""
    label: str
    """For people: ``Ticket status``; the name itself if the field is not known."""
    description: str
    """A sentence or two, in English; empty if there is none."""
    type: str
    """As SuperOffice names it: ``DateTime``, ``FK person``, ``String(255)``; empty if unknown."""
    values: Mapping[int, str]
    """What the numbers of an enum mean; empty for every other type."""
    known: bool
    """Whether SuperOffice's documentation names the field."""

    def meaning(self, value: Any) -> str:
        """Return what a value means: for ticket.status, 2 is ``Closed``; else the value as text.

        A number may come as text (``"2"``), as SuperOffice sends some. None is an empty text.
        """
        if value is None:
            return ""
        number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
        return self.values.get(number, str(value)) if isinstance(number, int) else str(value)


def describe(entity: str, name: str) -> FieldDescription:
    """Return what is known of a field: ``describe("ticket", "status").meaning(2) == "Closed"``."""
    field = _fields(entity).get(bare(name))
    if field is None:
        return FieldDescription(name, name, "", "", _NO_VALUES, known=False)
    return FieldDescription(
        name,
        # The prefix tells a chat's id from its message's.
        _label(name if "." in name else field.name),
        field.description,
        field.type,
        _dictionary().enums.get(field.type, _NO_VALUES),
        known=True,
    )


def knows(entity: str, name: str) -> bool:
    """Return whether SuperOffice's documentation names this field of this entity."""
    return bare(name) in _fields(entity)


def covers(entity: str) -> bool:
    """Return whether the dictionary has this entity at all; it has no extra tables."""
    return bool(_fields(entity))


def fields_of(entity: str) -> tuple[str, ...]:
    """Return the names of an entity's fields, as the database spells them; none if unknown."""
    return tuple(field.name for field in _fields(entity).values())


def key_of(entity: str) -> frozenset[str]:
    """Return the record's key columns, in lower case: ``ticket`` has ``id``, ``sale`` ``sale_id``.

    Lists have two, that of their own table and that of user-defined lists: ``list.category`` has
    ``category_id`` and ``udlist_id``. Empty if the entity is not known.
    """
    entity = entity.lower()
    if entity.startswith("y_"):
        return frozenset({"id"})
    keys = {field.name.lower() for field in _fields(entity).values() if field.type == "PK"}
    if entity.startswith("list."):
        keys.add(f"{entity.removeprefix('list.')}_id")
    return frozenset(keys)


class _Field(NamedTuple):
    name: str
    type: str = ""
    description: str = ""


class _Dictionary(NamedTuple):
    entities: dict[str, dict[str, _Field]]
    """Fields by their bare name."""
    enums: dict[str, Mapping[int, str]]
    """By type, as the fields have it."""


_NO_VALUES: Mapping[int, str] = MappingProxyType({})


@cache
def _dictionary() -> _Dictionary:
    sent = json.loads(Path(__file__).with_name("dictionary.json").read_bytes())
    return _Dictionary(
        entities={
            entity: {bare(name): _Field(name, *rest) for name, rest in fields.items()}
            for entity, fields in sent["entities"].items()
        },
        enums={
            f"Enum {name}": MappingProxyType({int(key): value for key, value in values.items()})
            for name, values in sent["enums"].items()
        },
    )


def _fields(entity: str) -> dict[str, _Field]:
    entity = entity.lower()
    if entity.startswith("list."):
        entity = "list"
    return _dictionary().entities.get(entity, {})


def _label(name: str) -> str:
    words = [word if word.isupper() else word.lower() for word in _WORD.findall(name)]
    label = " ".join(words)
    return label[:1].upper() + label[1:]
