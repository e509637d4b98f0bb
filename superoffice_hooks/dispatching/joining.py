"""Joining in bulk: due events that only gathered receivers are for.

They are not dispatched one by one. All of them leave the queue in one transaction.
"""

from collections.abc import Collection, Iterable
from functools import partial

from django.db import DatabaseError, InterfaceError

from ..models import Event, queue
from ..models.claiming import Taker
from ..models.due import Due, lock_due
from ..models.joining import ClaimLost, Joiner, join, leave_queue, wait
from ..models.transactions import in_own_transaction
from ..models.turns import pass_on
from ..receivers import Receiver, judged, receivers_of
from ..wire.logs import get_logger

logger = get_logger(__name__)


def join_what_only_waits(sequences: list[list[Event]]) -> list[Event]:
    """Let events at the heads of these sequences join; remove them there, and return them.

    If that cannot be done now, they stay, and are dispatched one by one.
    """
    heads = [list(_head(sequence)) for sequence in sequences]
    joiners = [(event, receiver) for head in heads for event, called in head for receiver in called]
    if not joiners:
        return []
    events = [event for head in heads for event, _called in head]
    try:
        in_own_transaction(queue.using(), partial(_join_and_leave, events, joiners))
    except (DatabaseError, InterfaceError, ClaimLost) as error:
        logger.warning("%d events could not join together: %s", len(events), error)
        return []
    for sequence, head in zip(sequences, heads, strict=True):
        for event, _called in head:
            event.status, event.next_attempt_at, event.claim = Event.Status.WAITING, None, None
            pass_on(sequence)
    return events


def _join_and_leave(events: list[Event], joiners: Collection[Joiner]) -> None:
    leave_queue(events)
    join(joiners)


def join_unclaimed(taker: Taker[Event], limit: int) -> tuple[int, bool]:
    """Let due events join that nobody has claimed, up to so many.

    Returns how many have joined, and whether those were all that it looked at. If that cannot be
    done now, they are to be claimed.
    """
    try:
        joining, due = in_own_transaction(queue.using(), lambda: _join_due(taker, limit))
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Due events could not join together: %s", error)
        return 0, False
    return joining, joining == due > 0


def _join_due(taker: Taker[Event], limit: int) -> tuple[int, int]:
    """Let due events join; return how many did, and how many were due."""
    due = taker.look(limit, lock_due)
    called = _by_kind(event for event in due if _is_fresh(event))
    joining = [event for event in due if _is_fresh(event) and called[event.kind]]
    if joining:
        wait([event.pk for event in joining])
        joiners = list[Joiner]()
        for event in joining:
            joiners += [(event, receiver) for receiver in called[event.kind]]
        join(joiners)
    return len(joining), len(due)


def _head(sequence: list[Event]) -> Iterable[tuple[Event, list[Receiver]]]:
    """Yield the events at the head of a sequence that can join at once, and what they join."""
    for event in sequence:
        called = _gathered(event) if _is_fresh(event) else []
        if not called:
            return
        yield event, called


def _by_kind(events: Iterable[Due]) -> dict[object, list[Receiver]]:
    """Return the gathered receivers of each kind of event; none if it has others."""
    samples = {event.kind: event.pk for event in events}
    stored = queue.events().defer("body", "headers").in_bulk(list(samples.values()))
    return {kind: _gathered(stored[pk]) if pk in stored else [] for kind, pk in samples.items()}


def _is_fresh(event: Event | Due) -> bool:
    """Return whether no attempt at an event was begun yet."""
    return not (event.attempts or event.deaths or event.alone or event.begun_at)


def _gathered(event: Event) -> list[Receiver]:
    """Return the gathered receivers of an event; none if it has others."""
    receivers = receivers_of(event.name)
    if any(receiver.options.has_code for receiver in receivers):
        return []
    called = [receiver for receiver in judged(event, receivers) if receiver.is_called]
    return called if all(receiver.options.is_gathered for receiver in called) else []
