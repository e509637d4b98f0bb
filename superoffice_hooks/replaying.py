"""Replaying: select → plan → replay. Receivers are called again; a row says for whom and why.

A replay is carried on by one process at a time: the one that planned it, or a dispatcher. It claims
no event, so a replay that dies leaves every event as it was. Before it is planned, ``Preview`` says
what it would do.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import islice

from django.db import DatabaseError, InterfaceError, connections, router
from django.db.models import Count, Max

from . import conf
from .calling import BrokenOff, SessionLost, on_a_live_connection
from .logs import get_logger
from .models import Event, Replay
from .models.event import EventQuerySet
from .previewing import Preview
from .selecting import Criteria, select
from .trying import TOGETHER, Calling, Together

__all__ = [
    "Criteria",
    "Preview",
    "batch",
    "carry_on",
    "next_waiting",
    "plan",
    "replay",
    "select",
]

logger = get_logger(__name__)

# Whichever is reached first ends a batch: other work waits for the thread that is busy with it.
BATCH_EVENTS = 100
BATCH_SECONDS = 2.0

_FEWEST_KEYS = BATCH_EVENTS
_MOST_KEYS = 1000


def plan(
    criteria: Criteria,
    *,
    who: str,
    why: str,
    receivers: tuple[str, ...] = (),
    only_failed: bool = False,
) -> Replay:
    """Write down who is about to replay what, and why; nothing is dispatched yet.

    The replay is claimed by this process, to begin at once; ``release()`` leaves it to others.
    ``receivers`` are dotted paths; none means all. With ``only_failed`` each event goes only to
    those of them whose last run for it was no success.
    """
    count_and_last = select(criteria).aggregate(count=Count("pk"), last=Max("pk"))
    return Replay.begin(
        who,
        why=why,
        criteria=criteria.as_json(),
        receivers=list(receivers),
        only_failed=only_failed,
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


def batch(planned: Replay) -> Generator[Event, None, None]:
    """Carry a replay on for BATCH_EVENTS or BATCH_SECONDS, whichever is less."""
    enough = time.monotonic() + BATCH_SECONDS
    with closing(carry_on(planned)) as events:
        for event in islice(events, BATCH_EVENTS):
            yield event
            if time.monotonic() > enough:
                return


def next_waiting(after: int = 0) -> Replay | None:
    """Return a replay that no process works on: the next one by primary key, or else the first."""
    waiting = Replay.objects.using(router.db_for_write(Replay)).waiting().order_by("pk")
    return waiting.filter(pk__gt=after).first() or waiting.first()


def carry_on(planned: Replay) -> Generator[Event, None, None]:
    """Carry a replay on from where it is; nothing happens if another process does, or it has ended.

    Yields each event after it was tried; closing the generator gives the claim back. After an error
    the replay rests for a lease, so that nobody runs into the same error at once.

    Raises:
        BrokenOff: this process ends.
        DatabaseError: the database is away.
    """
    if not planned.take():
        return
    calling = Calling()
    try:
        with _renewed(planned, calling):
            yield from _carry_on(planned, calling)
    except (GeneratorExit, KeyboardInterrupt, BrokenOff):
        with suppress(DatabaseError, InterfaceError):
            planned.release()
        raise
    except Exception:
        with suppress(DatabaseError, InterfaceError):
            planned.rest()
        raise


def _carry_on(planned: Replay, calling: Calling) -> Iterator[Event]:
    """Try the events, some together; the first alone, for it may be what ended a process."""
    most = 1
    ahead, left = _ahead(planned), list[int]()
    while keys := [*left[:most], *islice(ahead, max(most - len(left), 0))]:
        together = Together(keys, planned, calling)
        lost = False
        try:
            yield from together
        except SessionLost:
            lost = True
        except BaseException:
            with suppress(DatabaseError, InterfaceError):
                together.save()
            raise
        if not together.save():
            return
        left = [*together.left, *left[most:]]
        most = min(max(2 * together.tried, 1), TOGETHER)
        if lost:
            # As if the process had died.
            planned.note_stalls(planned.stalls + 1)
            most = 1
    planned.finish()


def _ahead(planned: Replay) -> Iterator[int]:
    """Yield the primary keys of the events that are left."""
    criteria = replace(Criteria.from_json(planned.criteria), limit=None)
    events = select(criteria).filter(pk__lte=planned.up_to)
    position, most = planned.position, _FEWEST_KEYS
    while keys := _keys(events.filter(pk__gt=position)[:most]):
        yield from keys
        position, most = keys[-1], min(2 * most, _MOST_KEYS)


def _keys(events: EventQuerySet) -> list[int]:
    return on_a_live_connection(lambda: list(events.values_list("pk", flat=True)))


@contextmanager
def _renewed(planned: Replay, calling: Calling) -> Iterator[None]:
    """Renew the claim of a replay every third of a lease, unless a receiver hangs."""
    ended, reported = threading.Event(), ""

    def renew() -> None:
        nonlocal reported
        while not ended.wait(conf.current().LEASE_SECONDS / 3):
            try:
                if calling.seconds <= conf.current().CALL_SECONDS:
                    planned.renew()
                elif calling.receiver != reported:
                    reported = calling.receiver
                    logger.error(
                        "Receiver %s has been called for %d seconds in %s and may hang. Others go"
                        " on with the replay when its lease ends. CALL_SECONDS says how long a call"
                        " may take; give the receiver a time-out of its own.",
                        calling.receiver,
                        calling.seconds,
                        planned,
                    )
            except Exception:
                logger.exception("The claim of %s could not be renewed", planned)
            finally:
                connections.close_all()

    name = "superoffice_hooks replay"
    thread = threading.Thread(target=renew, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
