"""Plan a replay, and carry it on: call the receivers of the selected events again.

One process at a time carries a replay on: the one that planned it, or a dispatcher. It claims no
event. So if the process dies, each event is as it was. ``Preview`` says what a replay would do,
before it is planned.
"""

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice

from django.db import DatabaseError, InterfaceError, router
from django.db.models import Count, Max

from ..dispatching.calling import BrokenOff, SessionLost
from ..dispatching.recording import on_a_live_connection
from ..dispatching.watching import Calling, Keeper
from ..models import Event, Replay
from ..models.event_queryset import EventQuerySet
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from .batches import MAX_EVENTS, MAX_SECONDS, ReplayBatch
from .criteria import Criteria, select
from .newest import Newest
from .preview import Preview

__all__ = [
    "Criteria",
    "Preview",
    "batch",
    "begin",
    "carry_on",
    "next_waiting",
    "plan",
    "replay",
    "select",
]

logger = get_logger(__name__)

# ``batch`` ends at the first of these two limits, because other work waits for its thread.
BATCH_EVENTS = 100
BATCH_SECONDS = 2.0

_MAX_KEYS = 1000


def plan(
    criteria: Criteria,
    *,
    who: str,
    reason: str,
    receivers: Collection[str] | None = None,
    only_failed: bool = False,
    only_newest: bool = False,
) -> Replay:
    """Store a replay with its criteria and its reason; no receiver is called yet.

    This process has claimed the replay and can begin at once; ``release()`` leaves it to others.
    ``receivers`` are dotted paths; None means all. With ``only_failed`` an event is replayed only
    for those receivers whose last run for it was no success. With ``only_newest`` a receiver is
    called only for the newest event of each record, among those that it would be called for.

    Raises:
        ValueError: ``receivers`` is empty.
    """
    if receivers is not None and not receivers:
        raise ValueError("A replay for no receiver does nothing; None means all receivers.")
    count_and_last = select(criteria).aggregate(count=Count("pk"), last=Max("pk"))
    return Replay.begin(
        who,
        reason=reason,
        criteria=criteria.as_json(),
        receivers=None if receivers is None else list(receivers),
        only_failed=only_failed,
        only_newest=only_newest,
        planned=count_and_last["count"],
        up_to=count_and_last["last"] or 0,
    )


def replay(planned: Replay, progress: Callable[[Event], None] = lambda event: None) -> Replay:
    """Replay the planned events, oldest first, to the end or until somebody cancels it.

    ``progress`` is called with each event after it was tried.
    """
    for event in carry_on(planned):
        progress(event)
    return planned


def batch(
    planned: Replay, calling: Calling | None = None, *, seconds: float = BATCH_SECONDS
) -> Generator[Event, None, None]:
    """Carry a replay on until BATCH_EVENTS or the seconds are reached; see ``carry_on``."""
    enough = time.monotonic() + seconds
    with closing(carry_on(planned, calling)) as events:
        for event in islice(events, BATCH_EVENTS):
            yield event
            if time.monotonic() > enough:
                return


def begin(planned: Replay) -> None:
    """Carry a new replay on for a short time; never raises.

    The replay is stored, and dispatchers carry it on. Who saw an error would plan it a second time.
    """
    try:
        for _ in batch(planned):
            pass
    except Exception:
        logger.exception(
            "Unexpected error in %s; dispatchers carry it on",
            planned,
            extra=fields(replay=planned.pk),
        )


def next_waiting(after: int = 0) -> Replay | None:
    """Return a replay that waits: the next one by primary key, or else the first."""
    waiting = Replay.objects.using(router.db_for_write(Replay)).waiting().order_by("pk")
    return waiting.filter(pk__gt=after).first() or waiting.first()


def carry_on(
    planned: Replay, calling: Calling | None = None, *, save_seconds: float = MAX_SECONDS
) -> Generator[Event, None, None]:
    """Carry a replay on from its position, unless another process does so or it has ended.

    It yields each event after it was tried. Closing the generator releases the claim. After an
    error the replay rests for a lease, so that the same error does not occur again at once.

    Args:
        planned: the replay.
        calling: shows which call is running.
        save_seconds: after how many seconds the progress is saved.

    Raises:
        BrokenOff: this process ends.
        DatabaseError: the database is away.
    """
    if not planned.take():
        return
    calling = Calling() if calling is None else calling
    keeper = Keeper(lambda: [calling], lambda: calling.is_hung or planned.renew())
    keeper.start()
    try:
        yield from _carry_on(planned, calling, save_seconds)
    except (GeneratorExit, KeyboardInterrupt, BrokenOff):
        with suppress(DatabaseError, InterfaceError):
            planned.release()
        raise
    except Exception:
        with suppress(DatabaseError, InterfaceError):
            planned.rest()
        raise
    finally:
        keeper.stop()


def _carry_on(planned: Replay, calling: Calling, save_seconds: float) -> Iterator[Event]:
    """Try the events in batches. The first event is tried alone: it may have ended a process."""
    limit = 1
    criteria = replace(Criteria.from_json(planned.criteria), limit=None)
    selected = select(criteria).filter(pk__lte=planned.up_to)
    newest = Newest(planned, selected)
    ahead, left = keys_ahead(planned, selected), list[int]()
    while keys := [*left[:limit], *islice(ahead, max(limit - len(left), 0))]:
        events = ReplayBatch(keys, planned, newest, calling, save_seconds)
        lost = False
        try:
            yield from events
        except SessionLost:
            lost = True
        except BaseException:
            with suppress(DatabaseError, InterfaceError):
                events.save()
            raise
        if not events.save():
            return
        left = [*events.left, *left[limit:]]
        limit = min(max(2 * events.tried, 1), MAX_EVENTS)
        if lost:
            # As if the process had died.
            planned.note_stalls(planned.stalls + 1)
            limit = 1
    planned.finish()


def keys_ahead(planned: Replay, events: EventQuerySet, limit: int = BATCH_EVENTS) -> Iterator[int]:
    """Yield the primary keys of the events that are left; ``limit`` is for the first query."""
    position = planned.position
    while keys := _keys(events.filter(pk__gt=position)[:limit]):
        yield from keys
        position, limit = keys[-1], min(2 * limit, _MAX_KEYS)


def _keys(events: EventQuerySet) -> list[int]:
    return on_a_live_connection(lambda: list(events.values_list("pk", flat=True)))
