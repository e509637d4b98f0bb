"""Replaying: select → plan → replay. The normal dispatch again, and a row that says who and why.

A replay is carried on by whoever comes along, one process at a time: the one that planned it, the
admin's progress page, ``superoffice_dispatch``. Before it is planned, ``Preview`` says what it
would do.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from django.db import router
from django.db.models import Count, Max, Min

from .dispatching import dispatch
from .models import Event, ReceiverRun, Replay
from .models.event import EventQuerySet
from .selecting import Criteria, frozen, select
from .signals import calls_for

__all__ = [
    "Criteria",
    "Preview",
    "batch",
    "carry_on",
    "carry_on_waiting",
    "plan",
    "replay",
    "select",
]

logger = logging.getLogger(__name__)

# Whichever is reached first ends a batch: somebody waits for the worker that is busy with it.
BATCH_EVENTS = 100
BATCH_SECONDS = 2.0

_KEYS = 1000


class Named(NamedTuple):
    """The events of one name, and who would be called for how many of them."""

    name: str
    events: int
    receivers: dict[str, int]
    """The number of events, by the dotted path of the receiver."""


@dataclass(frozen=True)
class Preview:
    """What a replay of some events would do. The database counts, each figure when it is asked."""

    criteria: Criteria

    @cached_property
    def names(self) -> list[Named]:
        """The events by name; the names in their order."""
        return called(self._selected)

    @property
    def events(self) -> int:
        """How many events would be replayed."""
        return sum(named.events for named in self.names)

    @property
    def receivers(self) -> dict[str, int]:
        """For how many events each receiver would be called, by its dotted path."""
        total = Counter[str]()
        for named in self.names:
            total.update(named.receivers)
        return dict(sorted(total.items()))

    @cached_property
    def records(self) -> int:
        """How many records the events are of."""
        events = self._selected.exclude(primary_key=None)
        return events.values("tenant", "entity", "primary_key").distinct().count()

    @cached_property
    def superseded(self) -> int:
        """After how many of the events a newer one of the same record has come in."""
        return self.events - self._selected.unsuperseded().count()

    @cached_property
    def failed(self) -> dict[str, int]:
        """For how many events each receiver would be called with ``only_failed``."""
        runs = ReceiverRun.objects.filter(event__in=self._selected.values("pk")).still_failed()
        counts = runs.order_by().values_list("event__name", "receiver").annotate(Count("pk"))
        connected = {named.name: named.receivers for named in self.names}
        failed = Counter[str]()
        for name, path, count in counts:
            if path in connected.get(name, ()):
                failed[path] += count
        return dict(sorted(failed.items()))

    @cached_property
    def _selected(self) -> EventQuerySet:
        limited = self.criteria.limit is not None
        return select(frozen(self.criteria) if limited else self.criteria).order_by()


def called(events: EventQuerySet) -> list[Named]:
    """Whom a replay of these events would call.

    A filter looks at the event's name, its changed fields and whose doing it was, so it is asked
    about one event of each kind. What a callable looks at besides may make the figures wrong.
    """
    kinds = events.order_by("name").values_list("name", "change_set", "is_own")
    counts = list(kinds.annotate(count=Count("*"), sample=Min("pk")))
    samples = Event.objects.defer("body", "headers").in_bulk([pk for *_, pk in counts])
    names: dict[str, Named] = {}
    for name, _, _, count, pk in counts:
        named = names.get(name, Named(name, 0, {}))
        receivers = Counter(named.receivers)
        # An event may have been deleted meanwhile.
        for call in calls_for(samples[pk], sender=Event) if pk in samples else ():
            receivers[call.receiver.path] += count
        names[name] = Named(name, named.events + count, dict(receivers))
    return list(names.values())


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
    """Dispatch the planned events again, oldest first, to the end or until somebody cancels it.

    ``progress`` is called with each event after it was tried.
    """
    for event in carry_on(planned):
        progress(event)
    return planned


def batch(planned: Replay) -> Generator[Event, None, None]:
    """Carry a replay on for a moment: BATCH_EVENTS or BATCH_SECONDS, whichever is less."""
    enough = time.monotonic() + BATCH_SECONDS
    with closing(carry_on(planned)) as events:
        for event in islice(events, BATCH_EVENTS):
            yield event
            if time.monotonic() > enough:
                return


def carry_on_waiting() -> Generator[Event, None, None]:
    """Carry each replay that nobody is working on a batch further, the oldest first.

    Yields each event after it was tried; closing the generator leaves the rest to whoever comes.
    """
    for planned in Replay.objects.waiting().order_by("pk"):
        try:
            yield from batch(planned)
        except Exception:
            logger.exception("%s was cut short", planned)


def carry_on(planned: Replay) -> Generator[Event, None, None]:
    """Carry a replay on from where it is; nothing happens if it is in other hands, or finished.

    Yields each event after it was tried and counted; closing the generator gives the claim back.
    After an error the claim is kept, so that nobody runs into the same error before it has ended.
    """
    if not planned.claim():
        return
    for event in _ahead(planned):
        goes_on = planned.advance(event.pk, _replay_one(event, planned))
        try:
            yield event
        except GeneratorExit:
            planned.release()
            raise
        if not goes_on:
            return
    planned.finish()


def _ahead(planned: Replay) -> Iterator[Event]:
    """The events that are left, each read when it is its turn: others may be at work on them."""
    using = router.db_for_write(Event)
    criteria = replace(Criteria.from_json(planned.criteria), limit=None)
    events = select(criteria).using(using).filter(pk__lte=planned.up_to)
    position = planned.position
    while keys := list(events.filter(pk__gt=position).values_list("pk", flat=True)[:_KEYS]):
        for position in keys:
            yield from Event.objects.using(using).filter(pk=position)


def _replay_one(event: Event, planned: Replay) -> tuple[str, ...]:
    """Dispatch an event again, and say where it counts; it stays as it is if it is for nobody."""
    if planned.only_failed:
        planned = planned.narrowed_to(event.runs.all().failed_receivers())
        if not planned.receivers:
            return Replay.SKIPPED
    calls = calls_for(event, sender=Event)
    if planned.receivers and not any(planned.concerns(call.receiver.path) for call in calls):
        return Replay.SKIPPED
    if not event.claim():
        return Replay.BUSY
    try:
        return _COUNTS.get(dispatch(event, planned), Replay.SUCCEEDED)
    except Exception:
        logger.exception("The replay of %s was cut short", event)
        return Replay.FAILED


_COUNTS = {Event.Status.FAILED: Replay.FAILED, Event.Status.SKIPPED: Replay.SKIPPED}
