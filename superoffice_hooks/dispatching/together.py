"""The events that a receiver is called for together, as it gets them."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, overload

from ..models import Event, queue
from ..models.updating import among
from ..receivers import Receiver, judged, receivers_of
from ..wire.field_values import FieldValues

_PAGE = 100
_LATER = ("body", "headers")
"""The columns that are read when they are used."""


class Events(Sequence[Event]):
    """Events by their primary keys, read when they are used, a page at a time."""

    def __init__(self, keys: Sequence[int]) -> None:
        self.keys = keys
        """Their primary keys, in order."""

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Event]:
        for start in range(0, len(self.keys), _PAGE):
            yield from _read(self.keys[start : start + _PAGE])

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if isinstance(index, slice):
            return Events(self.keys[index])
        return _read([self.keys[index]])[0]


class Together:
    """What a receiver is called with for several events.

    Args:
        path: the dotted path of the receiver.
        connected: the receiver, once for each time that it is connected.
        keys: the primary keys of the events, in any order.
        is_lazy: whether the receiver gets a sequence that is read when it is used.
    """

    def __init__(
        self, path: str, connected: Sequence[Receiver], keys: Iterable[int], *, is_lazy: bool
    ) -> None:
        events = _in_order(keys, is_lazy=is_lazy)
        called_with = dict[tuple[str, ...], None]()
        fitting = connected[0]
        read, first, newest = list[Event](), None, None
        values = dict[str, tuple[str, Any]]()
        own = cache(lambda name: [r for r in receivers_of(name) if r.path == path])
        # A coroutine function cannot read what is not there yet.
        is_list = is_lazy and (any(r.is_async for r in connected) or len(events) <= _PAGE)
        for event in events:
            first = first or event
            newest = event
            if is_list:
                read.append(event)
            if is_lazy:
                raw = event.field_values.raw
                values.update((name.lower(), (name, raw[name])) for name in raw)
            for receiver in judged(event, own(event.name)):
                fitting = receiver
                if receiver.is_called:
                    called_with[receiver.changes] = None
        changes = dict[str, str]()
        for name in chain.from_iterable(called_with):
            changes.setdefault(name.lower(), name)
        self.newest = newest
        """The newest event; None if all were deleted."""
        if newest is not None and first is not newest and is_lazy:
            newest.first_of_call = first
            newest.changes_of_call = tuple(changes.values())
            newest.values_of_call = FieldValues(dict(values.values()))
        self.receiver = fitting._replace(changes=tuple(changes.values()), error=None)
        """The receiver, with the changes that it is called with."""
        self.events: Sequence[Event] = read or events
        """The events that it is called for, the oldest first."""


def _in_order(keys: Iterable[int], *, is_lazy: bool) -> Sequence[Event]:
    """Return events, the oldest first."""
    events = queue.events().filter(pk__in=among(list(keys))).newest_first().reverse()
    if is_lazy:
        return Events(list(events.values_list("pk", flat=True)))
    return list(events.defer(*_LATER))


def _read(keys: Sequence[int]) -> list[Event]:
    """Return events in this order. The body and the headers are read when they are used."""
    stored = queue.events().defer(*_LATER).in_bulk(keys)
    return [stored[key] for key in keys if key in stored]
