"""Django signals for SuperOffice's events.

Receivers of an event signal are called with

* ``sender``: the model class ``Event``,
* ``event``: the Event,
* ``changes``: the names of the changed fields as SuperOffice sent them; empty means unknown. If
  connected with ``fields``, those of them that match,
* ``replay``: None, or the Replay that asked for this call,

once per event, after SuperOffice has its answer, each inside a transaction of its own together with
the record that it ran (unless connected with ``atomic=False``). One that raises is called again
later; it can raise ``RetryLater`` or ``GiveUp`` to say when, or that it is no use.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Literal

from django.dispatch import Signal

from . import vocabulary
from .receivers import EventLike, Fields, Options, Receiver, Verdict, dotted_path

_exact: dict[str, "EventSignal"] = {}
_patterns: dict[str, "EventSignal"] = {}


class EventSignal(Signal):
    """The signal of all events whose names match one pattern; made by ``on``."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern
        # By dotted path and dispatch_uid: one function may be connected with several filters.
        self._options: dict[str, dict[Any, list[Options]]] = {}

    def __repr__(self) -> str:
        return f"<EventSignal {self.pattern}>"

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
    ) -> None:
        """Connect a receiver, as with every Django signal.

        A function that is connected again with another filter is called if any of its filters lets
        the event pass, once for each event.

        Args:
            receiver: the function to call.
            sender: as in Django; the only sender of event signals is the model class Event.
            weak: as in Django.
            dispatch_uid: as in Django.
            atomic: whether to call it inside a transaction that also records that it ran, so that
                its database work is done once. ``False`` suits receivers that wait for a network:
                they run without a transaction, at least once.
            fields: call it only if one of these fields changed, and tell it of those alone. Names
                compare without case; ``*`` stands for any characters (``"x_*"``);
                ``"significant"`` means whatever is no noise. Or a callable that takes the event
                and returns one of these. None: call it whatever changed.
            unknown_changes: with ``fields``, whether to ``"call"`` or ``"skip"`` it for events
                whose list of changed fields is empty, which means unknown.
            ignore_own: leave out events that OWN_ASSOCIATES says we caused ourselves.

        Raises:
            TypeError: ``fields`` has something other than text.
            ValueError: an option makes no sense, or another function with the same dotted path is
                connected already. The path says in the database who ran, so each receiver needs
                its own.
        """
        options = Options(
            atomic=atomic, fields=fields, unknown_changes=unknown_changes, ignore_own=ignore_own
        )
        sender = _none_if_event(sender)
        path = dotted_path(receiver)
        if any(known.path == path and known.function != receiver for known in connected()):
            raise ValueError(
                f"Another receiver is connected as {path}. SuperOffice receivers are known by their"
                " dotted path: give each function a name of its own in its module."
            )
        if all(live.path != path for live in self.live_receivers()):
            # What is left of a function that is gone.
            self._options.pop(path, None)
        super().connect(receiver, sender=sender, weak=weak, dispatch_uid=dispatch_uid)
        if sender is not None:
            return
        filters = self._options.setdefault(path, {}).setdefault(dispatch_uid, [])
        if options not in filters:
            filters.append(options)

    def disconnect(
        self, receiver: Any = None, sender: object = None, dispatch_uid: Any = None
    ) -> bool:
        """Disconnect a receiver with all filters that it was connected with, as in Django."""
        sender = _none_if_event(sender)
        disconnected = super().disconnect(receiver, sender=sender, dispatch_uid=dispatch_uid)
        if disconnected and sender is None:
            paths = [dotted_path(receiver)] if receiver is not None else list(self._options)
            for path in paths:
                self._options.get(path, {}).pop(dispatch_uid, None)
        return disconnected

    def live_receivers(self) -> Iterator[Receiver]:
        """Yield the receivers connected now, in the order in which they were connected.

        One that is connected with several filters comes once with each of them.
        """
        # Signal.send_robust would run them all in one go; each needs a transaction and a record of
        # its own, and Django offers no public way to call them one by one.
        sync, asynchronous = self._live_receivers(None)
        for functions, is_async in ((sync, False), (asynchronous, True)):
            # One function may be connected under several uids.
            for function in dict.fromkeys(functions):
                path = dotted_path(function)
                for options in chain.from_iterable(self._options.get(path, {}).values()):
                    yield Receiver(path, function, is_async, options, self, self.pattern)


def _none_if_event(sender: object) -> object:
    """Return None for the model class Event: it is the sender of all events."""
    name = f"{getattr(sender, '__module__', '')}.{getattr(sender, '__qualname__', '')}"
    return None if name == "superoffice_hooks.models.event.Event" else sender


def on(pattern: str) -> EventSignal:
    """The signal of all events whose names match: ``on("list.*.softdeleted")``, ``on("y_car.*")``.

    ``*`` stands for any characters, case does not count, and the same pattern always gives the same
    signal: ``on("ticket.changed") is ticket_changed``.
    """
    pattern = pattern.strip().lower()
    signals = _patterns if "*" in pattern else _exact
    # setdefault is atomic, so two threads get the same signal.
    return signals.setdefault(pattern, EventSignal(pattern))


def receivers_of(name: str) -> list[Receiver]:
    """Return the receivers of events of this name: each once, however many patterns match."""
    return list({receiver.path: receiver for receiver in listening(name)}.values())


def verdicts_on(event: EventLike, receivers: Iterable[Receiver] | None = None) -> list[Verdict]:
    """What each receiver that listens to the event's name makes of it, each once.

    One that is connected several times is called if any of its filters lets the event pass. The
    test event concerns nobody: it has a signal of its own.
    """
    if receivers is None:
        receivers = listening(event.name)
    verdicts: dict[str, Verdict] = {}
    for receiver in () if event.is_test else receivers:
        known = verdicts.get(receiver.path)
        if known is None or not known.is_call:
            verdicts[receiver.path] = receiver.judge(event)
    return list(verdicts.values())


def calls_for(event: EventLike, receivers: Iterable[Receiver] | None = None) -> list[Verdict]:
    """Return the receivers to call for an event, each with the changes to call it with.

    ``receivers`` are those that listen to its name, where they are known.
    """
    return [verdict for verdict in verdicts_on(event, receivers) if verdict.is_call]


def connected() -> Iterator[Receiver]:
    """Every receiver connected to any event signal; one that listens twice comes twice."""
    for signal in [*_exact.values(), *_patterns.values()]:
        yield from signal.live_receivers()


def listening(name: str) -> Iterator[Receiver]:
    """Who listens to events of this name; one that is connected to two signals comes twice."""
    if name in _exact:
        yield from _exact[name].live_receivers()
    for signal in list(_patterns.values()):
        if vocabulary.pattern(signal.pattern).fullmatch(name):
            yield from signal.live_receivers()


# Any event at all, unknown names included; only the test event reaches nobody but webhook_tested.
any_event = on("*")

activity_created = on("activity.created")
activity_changed = on("activity.changed")
activity_deleted = on("activity.deleted")
associate_created = on("associate.created")
associate_changed = on("associate.changed")
associate_deleted = on("associate.deleted")
chatsession_created = on("chatsession.created")
chatsession_message = on("chatsession.message")
chatsession_changed = on("chatsession.changed")
contact_created = on("contact.created")
contact_changed = on("contact.changed")
contact_deleted = on("contact.deleted")
contact_softdeleted = on("contact.softdeleted")
document_created = on("document.created")
document_changed = on("document.changed")
document_edited = on("document.edited")
document_deleted = on("document.deleted")
person_created = on("person.created")
person_changed = on("person.changed")
person_deleted = on("person.deleted")
person_softdeleted = on("person.softdeleted")
person_consented = on("person.consented")
person_unconsented = on("person.unconsented")
project_created = on("project.created")
project_changed = on("project.changed")
project_deleted = on("project.deleted")
projectmember_created = on("projectmember.created")
projectmember_changed = on("projectmember.changed")
projectmember_deleted = on("projectmember.deleted")
quote_approved = on("quote.approved")
quote_rejected = on("quote.rejected")
quote_sent = on("quote.sent")
quote_ordered = on("quote.ordered")
relation_created = on("relation.created")
relation_changed = on("relation.changed")
relation_deleted = on("relation.deleted")
sale_created = on("sale.created")
sale_changed = on("sale.changed")
sale_deleted = on("sale.deleted")
sale_sold = on("sale.sold")
sale_lost = on("sale.lost")
sale_completed = on("sale.completed")
salestakeholder_created = on("salestakeholder.created")
salestakeholder_changed = on("salestakeholder.changed")
salestakeholder_deleted = on("salestakeholder.deleted")
ticket_created = on("ticket.created")
ticket_changed = on("ticket.changed")

# A webhook was started, stopped, or ended by too many errors (webhook.started, .stopped, .errors).
webhook_state_changed = on("webhook.*")

# A registration's test event came in and was answered. Arguments: sender (Event), event.
# Plain signal: nothing is recorded, errors are logged.
webhook_tested = Signal()

# An event failed for good: a receiver gave up, or MAX_ATTEMPTS were not enough. Arguments: sender
# (Event), event. Plain signal: nothing is recorded, errors are logged.
event_failed = Signal()

# A delivery was refused. Arguments: sender (Rejection), rejection. Anybody on the internet can
# cause it, so receivers must be cheap. Plain signal: nothing is recorded, errors are logged.
delivery_rejected = Signal()
