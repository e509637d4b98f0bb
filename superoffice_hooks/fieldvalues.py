"""The values a payload brings along, found by name however SuperOffice spells it."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from .values import decode
from .vocabulary import bare


class RawFieldValues(Mapping[str, Any]):
    """Values by field name, as sent.

    Names are iterated as sent, and compared without case, so each is there once: the last wins. A
    name that is not found so is found by what it is called without dots and underscores:
    ``chatSession.topicId`` and ``topic_id`` find ``TopicId``.
    """

    __slots__ = ("_by_bare_name", "_sent")

    def __init__(self, *sent: Mapping[str, Any]) -> None:
        self._sent = {
            name.lower(): (name, value) for values in sent for name, value in values.items()
        }
        self._by_bare_name = {bare(name): key for key, (name, _) in self._sent.items()}

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """The values of a payload: ``Values`` (sent with deletes) and ``FieldValues`` (since 11.1).

        Where both have a name, FieldValues wins. What is no object counts as empty.
        """
        sent = (payload.get("Values"), payload.get("FieldValues"))
        return cls(*(values for values in sent if isinstance(values, dict)))

    def __getitem__(self, name: str) -> Any:
        key = str(name).lower()
        if key not in self._sent:
            key = self._by_bare_name.get(bare(key), key)
        if key not in self._sent:
            raise KeyError(name)
        return self._sent[key][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._sent.values())

    def __len__(self) -> int:
        return len(self._sent)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"


class FieldValues(RawFieldValues):
    """The same, each value decoded when it is asked for: see ``values.decode``."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        return decode(super().__getitem__(name))

    @property
    def raw(self) -> RawFieldValues:
        """The same values as sent."""
        return RawFieldValues(dict(self._sent.values()))
