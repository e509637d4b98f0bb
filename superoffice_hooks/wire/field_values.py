"""The field values in a payload, by name in any of SuperOffice's spellings."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Self

from .event_names import bare
from .values import decode


class RawFieldValues(Mapping[str, Any]):
    """Values by field name, as sent.

    Iteration yields the names as sent, each once: they compare without case, and the last wins. A
    look-up that fails is repeated without dots and underscores, so ``chatSession.topicId`` and
    ``topic_id`` both return the value of ``TopicId``.
    """

    __slots__ = ("_by_bare_name", "_sent")

    def __init__(self, *sent: Mapping[str, Any]) -> None:
        self._sent = {
            name.lower(): (name, value) for values in sent for name, value in values.items()
        }
        self._by_bare_name = {bare(name): key for key, (name, _) in self._sent.items()}

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """Read the values of a payload: ``Values`` (in deletes) and ``FieldValues`` (since 11.1).

        Where both have a name, FieldValues wins. A value that is no object counts as empty.
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
    """The same, decoded when read: see ``values.decode``."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        return decode(super().__getitem__(name))

    @property
    def raw(self) -> RawFieldValues:
        """Return the same values as sent."""
        return RawFieldValues(dict(self._sent.values()))


class Change(NamedTuple):
    """A field before and after an event."""

    before: Any
    after: Any
    known: bool
    """Whether SuperOffice sent both. It sends no free text, and not every field."""


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], changed: Collection[str]
) -> dict[str, Change]:
    """Return what the changed fields were and became; if none are named, those that differ."""
    changes = {
        name: Change(before.get(name), after.get(name), known=name in before and name in after)
        for name in changed or after
    }
    if changed:
        return changes
    return {name: c for name, c in changes.items() if c.known and c.before != c.after}
