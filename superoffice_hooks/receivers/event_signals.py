"""The signals of events: how receivers are connected to them, and which are called for an event."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Literal

from django.conf import settings
from django.dispatch import Signal

from ..wire import event_names
from .options import Fields, Options, read_fields, read_together
from .receiver import EventLike, Receiver, dotted_path

_exact: dict[str, "EventSignal"] = {}
_patterns: dict[str, "EventSignal"] = {}


class EventSignal(Signal):
    """The signal of all events whose names match one pattern; ``on`` makes it."""

    only: ClassVar[frozenset[str] | None] = None
    """The dotted paths of the receivers that count as connected, in a test; None: all do."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern
        # By dotted path and dispatch_uid: a function may be connected with several filters.
        self._options: dict[str, dict[Any, list[Options]]] = {}

    def __repr__(self) -> str:
        return f"<EventSignal {self.pattern}>"

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Return the pattern as a regular expression."""
        return event_names.pattern(self.pattern)

    def connect(
        self,
        receiver: Callable[..., Any],
        sender: object = None,
        weak: bool = True,
        dispatch_uid: Any = None,
        *,
        atomic: bool = True,
        fields: Fields | Callable[[Any], Fields] = None,
        unknown_changes: Literal["call", "skip"] = "call",
        ignore_own: bool = False,
        settle: float | None = None,
        at_most: float | None = None,
        batch: int | None = None,
        within: float | None = None,
    ) -> None:
        """Connect a receiver, as with every Django signal.

        A function can be connected several times, with different filters. It is called once for
        each event that one of them lets pass.

        Args:
            receiver: the function to call.
            sender: as in Django; the only sender of event signals is the model class Event.
            weak: as in Django.
            dispatch_uid: as in Django.
            atomic: whether to call it inside a transaction that also records that it ran, so that
                its database work is done once. ``False`` suits receivers that wait for a network:
                they run without a transaction, at least once.
            fields: call it only if one of these fields changed, and pass it only those. The case
                of names does not count; ``*`` stands for any characters (``"x_*"``);
                ``"significant"`` means all fields that are no noise. Or a callable that takes the
                event and returns one of these. None: call it for any change.
            unknown_changes: with ``fields``, whether to ``"call"`` or ``"skip"`` it for events
                whose list of changed fields is empty, which means unknown.
            ignore_own: do not call it for events that one of the OWN_ASSOCIATES caused.
            settle: call it once for several events of a record, when none has come for so many
                seconds. It also gets ``events``, the oldest first.
            at_most: with ``settle``, call it at the latest so many seconds after the first of
                these events; ten times ``settle`` unless set.
            batch: call it once for up to so many events, of any records. It also gets ``events``.
            within: with ``batch``, how many seconds to wait for so many events; 5 unless set.

        Raises:
            TypeError: ``fields`` has something other than text.
            ValueError: an option makes no sense, or another function with the same dotted path is
                connected. The database knows receivers by their paths, so each needs its own.
        """
        if unknown_changes not in ("call", "skip"):
            raise ValueError(f"unknown_changes is 'call' or 'skip', not {unknown_changes!r}.")
        options = Options(
            atomic=atomic,
            fields=fields if callable(fields) else read_fields(fields),
            unknown_changes=unknown_changes,
            ignore_own=ignore_own,
            **read_together(settle, at_most, batch, within),
        )
        if batch is not None and _is_ordered():
            raise ValueError("batch excludes ORDERED: a batch has events of many records.")
        sender = _none_if_event(sender)
        path = dotted_path(receiver)
        if any(known.path == path and known.function != receiver for known in connected()):
            raise ValueError(
                f"Another receiver is connected as {path}. SuperOffice receivers are known by their"
                " dotted path, so give each function a name of its own in its module."
            )
        if all(live.path != path for live in self.live_receivers()):
            # A function of this path was connected before, and is gone.
            self._options.pop(path, None)
        super().connect(receiver, sender=sender, weak=weak, dispatch_uid=dispatch_uid)
        if sender is not None:
            return
        of_uid = self._options.setdefault(path, {}).setdefault(dispatch_uid, [])
        if options not in of_uid:
            of_uid.append(options)

    def disconnect(
        self, receiver: Any = None, sender: object = None, dispatch_uid: Any = None
    ) -> bool:
        """Disconnect a receiver, with all its filters, as in Django."""
        sender = _none_if_event(sender)
        disconnected = super().disconnect(receiver, sender=sender, dispatch_uid=dispatch_uid)
        if disconnected and sender is None:
            paths = [dotted_path(receiver)] if receiver is not None else list(self._options)
            for path in paths:
                self._options.get(path, {}).pop(dispatch_uid, None)
        return disconnected

    def live_receivers(self) -> list[Receiver]:
        """Return the receivers connected now, in the order in which they were connected.

        A function that is connected with several filters is in it once with each of them.
        """
        live: list[Receiver] = []
        # Private, because each receiver needs a transaction of its own, and Django has no public
        # way to call them one by one.
        sync, asynchronous = self._live_receivers(None)
        for functions, is_async in ((sync, False), (asynchronous, True)):
            # One function may be connected under several uids.
            for function in dict.fromkeys(functions):
                path = dotted_path(function)
                if self.only is not None and path not in self.only:
                    continue
                live.extend(
                    Receiver(path, function, is_async, options, self, self.pattern)
                    for options in chain.from_iterable(self._options.get(path, {}).values())
                )
        return live


def _none_if_event(sender: object) -> object:
    """Return None for the model class Event: it is the sender of all events."""
    name = f"{getattr(sender, '__module__', '')}.{getattr(sender, '__qualname__', '')}"
    return None if name == "superoffice_hooks.models.event.Event" else sender


def _is_ordered() -> bool:
    """Return whether ORDERED is set; ``conf`` cannot be imported here, as it stands above."""
    return settings.configured and bool(
        getattr(settings, "SUPEROFFICE_HOOKS", {}).get("ORDERED", False)
    )


def on(pattern: str) -> EventSignal:
    """Return the signal of all events whose names match: ``on("list.*.softdeleted")``.

    ``*`` stands for any characters, and case does not count. The same pattern always returns the
    same signal: ``on("ticket.changed") is ticket_changed``.
    """
    pattern = pattern.strip().lower()
    signals = _patterns if "*" in pattern else _exact
    # setdefault is atomic, so two threads get the same signal.
    return signals.setdefault(pattern, EventSignal(pattern))


def connected() -> Iterator[Receiver]:
    """Yield the receivers of all event signals. One that is connected twice is yielded twice."""
    for signal in [*_exact.values(), *_patterns.values()]:
        yield from signal.live_receivers()


def receivers_of(name: str) -> list[Receiver]:
    """Return the receivers of events of this name. One that is connected twice is in it twice.

    The test event has none. The ping has those that are connected to its exact name.
    """
    if name == event_names.TEST:
        return []
    if name in event_names.PRIVATE:
        return _exact[name].live_receivers() if name in _exact else []
    matching = [s for s in list(_patterns.values()) if s.receivers and s.regex.fullmatch(name)]
    signals = [_exact[name], *matching] if name in _exact else matching
    return [receiver for signal in signals for receiver in signal.live_receivers()]


def judged(event: EventLike, receivers: Iterable[Receiver] | None = None) -> list[Receiver]:
    """Return each receiver of the event's name once, with the reason why it is called or not.

    A receiver that is connected several times is called if one of its filters lets the event pass.
    ``receivers`` are those of the event's name, if the caller knows them.
    """
    by_path: dict[str, Receiver] = {}
    for receiver in receivers_of(event.name) if receivers is None else receivers:
        known = by_path.get(receiver.path)
        if known is None or not known.is_called:
            by_path[receiver.path] = receiver.judged(event)
    return list(by_path.values())


def calls_for(event: EventLike) -> list[Receiver]:
    """Return the receivers to call for an event, with their changes; see ``judged``."""
    return [receiver for receiver in judged(event) if receiver.is_called]
