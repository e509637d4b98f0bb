"""Dispatching in this thread, without lanes."""

from collections import deque
from collections.abc import Collection, Generator

from ..models import Event, Gathering, queue, steps
from ..models.claiming import take, take_rows
from ..models.turns import pass_on, sequences_of
from ..wire.log_fields import about, fields
from ..wire.logs import get_logger
from .attempts import Attempt
from .gathered import GatheredCall

logger = get_logger(__name__)

_LIMIT = 50


def dispatch_due(
    limit: int, keys: Collection[int] | None = None, *, joined: Collection[int] = ()
) -> Generator[Event, None, None]:
    """Dispatch in this thread until nothing is due.

    Yields each event after it was tried. Closing the generator gives back those that were not
    begun.

    Args:
        limit: the maximum number of events claimed at a time.
        keys: only these events, by primary key, and those that wait for them; None for any.
        joined: those of them that wait for gatherings already.
    """
    waiting = None if keys is None else set(joined)
    while True:
        while taken := take(limit, keys=keys):
            following = yield from _dispatch_sequences(sequences_of(taken), waiting)
            keys = None if keys is None else following
        # An event that failed in a batch may be due by itself.
        if not (yield from _call_gatherings(limit, waiting)):
            return


def _dispatch_sequences(
    sequences: list[list[Event]], waiting: set[int] | None
) -> Generator[Event, None, list[int]]:
    """Dispatch the events of these sequences, and yield each; add those that wait to ``waiting``.

    Returns the primary keys of the events whose turn has come with ORDERED.
    """
    following = list[int]()
    try:
        for sequence in sequences:
            while sequence:
                event = sequence[0]
                dispatch(event)
                following += pass_on(sequence)
                if waiting is not None and event.status == Event.Status.WAITING:
                    waiting.add(event.pk)
                yield event
    finally:
        steps.give_back(event for sequence in sequences for event in sequence)
    return following


def _call_gatherings(limit: int, events: Collection[int] | None) -> Generator[Event, None, bool]:
    """Call the receivers of due gatherings, and yield the events that were finished.

    Returns whether there was any.

    ``events`` are those whose gatherings count, by primary key; None for any.
    """
    keys = None
    if events is not None:
        # Composing a query that has no rows takes Django as long as one that has some.
        if not events:
            return False
        keys = list(
            queue.rows(Gathering).filter(runs__event__in=events).values_list("pk", flat=True)
        )
    is_concluded = False
    claimed = deque(take_rows(Gathering, limit, keys=keys))
    try:
        while claimed:
            call = GatheredCall(claimed.popleft())
            try:
                is_concluded |= call.make()
            except Exception:
                logger.exception("Unexpected error while calling %s", call.gathering)
            finished = [key for keys in call.outcomes.values() for key in keys]
            yield from queue.events().filter(pk__in=finished).order_by("pk")
    finally:
        steps.give_back(claimed)
    return is_concluded


def dispatch_now(event: Event) -> None:
    """Dispatch one event in this thread, if it is due, and those that wait for it; never raises."""
    _dispatch_all(event, [event.pk])


def dispatch_begun(event: Event) -> None:
    """Make the attempt at an event that was stored as begun, for this thread; never raises."""
    dispatch(event)
    if event.status == Event.Status.WAITING:
        _dispatch_all(event, [], joined=[event.pk])


def _dispatch_all(event: Event, due: list[int], *, joined: Collection[int] = ()) -> None:
    try:
        for _ in dispatch_due(_LIMIT, due, joined=joined):
            pass
    except Exception:
        logger.exception("Unexpected error while dispatching %s", event, extra=fields(event=event))


def dispatch(event: Event) -> bool:
    """Make one attempt at an event that this process has claimed.

    Returns whether it was concluded: False if the claim was lost, or the attempt was broken off.
    """
    with about(event=event):
        try:
            return Attempt(event).make()
        except Exception:
            logger.exception("Unexpected error while dispatching %s", event)
            return False
