"""Replaying: select → plan → replay. The normal dispatch again, and a row that says who and why.

A replay is carried on by whoever comes along, one process at a time: the one that planned it, the
admin's progress page, ``superoffice_dispatch``. Before it is planned, ``Preview`` says what it
would do.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

from django.db import router, transaction
from django.db.models import Count, Max

from .dispatching import dispatch_again
from .logs import get_logger
from .models import Event, ReceiverRun, Replay
from .models.together import Together
from .previewing import Preview
from .selecting import Criteria, select
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

logger = get_logger(__name__)

# Whichever is reached first ends a batch: somebody waits for the worker that is busy with it.
BATCH_EVENTS = 100
BATCH_SECONDS = 2.0

# Events that are claimed together, and for how long outcomes wait to be written together: less than
# the shortest lease. While receivers are slow there are fewer, so that little is repeated after a
# process died, and a replay ends soon after it was cancelled.
_TOGETHER = 50
_TOGETHER_SECONDS = 0.5

_KEYS = 1000


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

    Yields each event after it was tried; closing the generator gives the claim back. After an error
    the claim is kept, so that nobody runs into the same error before it has ended.
    """
    if not planned.claim():
        return
    ahead, left, most = _ahead(planned), list[int](), 1
    try:
        while keys := [*left[:most], *islice(ahead, max(most - len(left), 0))]:
            hand = InHand(keys, planned)
            try:
                yield from hand
            finally:
                goes_on = hand.lay_down()
            if not goes_on:
                return
            left = [*hand.keys, *left[most:]]
            most = min(max(2 * hand.tried, 1), _TOGETHER)
    except GeneratorExit:
        planned.release()
        raise
    planned.finish()


def _ahead(planned: Replay) -> Iterator[int]:
    """The primary keys of the events that are left."""
    using = router.db_for_write(Event)
    criteria = replace(Criteria.from_json(planned.criteria), limit=None)
    events = select(criteria).using(using).filter(pk__lte=planned.up_to)
    position = planned.position
    while keys := list(events.filter(pk__gt=position).values_list("pk", flat=True)[:_KEYS]):
        yield from keys
        position = keys[-1]


class InHand:
    """Some events of a replay, claimed together, whose outcomes are written together.

    Only what receivers do, and that they ran, is committed for each event. If the process dies
    before the rest is, the events are tried again, and no receiver that succeeded is called again.
    """

    def __init__(self, keys: list[int], planned: Replay) -> None:
        self.keys = list(keys)
        """Of the events that have not been tried, in their order."""
        self.tried = 0
        self._begun = 0
        self._planned = planned
        self._counts = Counter[str]()
        self._ended = defaultdict[Event.Status, list[int]](list)
        self._position = planned.position
        self._events = Event.objects.using(router.db_for_write(Event)).in_bulk(keys)
        self._asked = dict(self._concerned())
        self._together = Together([self._events[key] for key in self._asked])
        runs = ReceiverRun.objects.filter(replay=planned, event__in=self._asked)
        self._settled = runs.settled_by_event()

    def __iter__(self) -> Iterator[Event]:
        """Try one event or more, and yield each, until it is time to write the outcomes down."""
        enough = time.monotonic() + _TOGETHER_SECONDS
        while self.keys and not (self.tried and time.monotonic() > enough):
            event = self._events.get(self.keys[0])
            counts = self._try(event) if event else ()
            self._position = self.keys.pop(0)
            self.tried += 1
            self._counts.update(counts)
            if event:
                yield event

    def lay_down(self) -> bool:
        """Write the outcomes and the counts down; whether the replay goes on."""
        with transaction.atomic(using=router.db_for_write(Event)):
            for status, keys in self._ended.items():
                self._together.conclude(status, keys)
            # One whose dispatch broke off is nobody's until its lease ends, as after a crash.
            self._together.put_back(self._together.claimed.keys() & set(self.keys) - {self._begun})
            return self._planned.advance(self._position, self._counts)

    def _concerned(self) -> Iterator[tuple[int, Replay]]:
        """The events that are for somebody, each with the replay as it is for it."""
        narrowed = self._planned
        failed = (
            ReceiverRun.objects.filter(event__in=self._events).failed_by_event()
            if self._planned.only_failed
            else {}
        )
        for key, event in self._events.items():
            if self._planned.only_failed:
                narrowed = self._planned.narrowed_to(failed.get(key, set()))
                if not narrowed.receivers:
                    continue
            # Dispatch asks the filters; here they are asked only where it may be for nobody.
            if not narrowed.receivers or any(
                narrowed.concerns(call.receiver.path) for call in calls_for(event, sender=Event)
            ):
                yield key, narrowed

    def _try(self, event: Event) -> tuple[str, ...]:
        """Dispatch an event again, and say where it counts; one for nobody stays as it is."""
        if event.pk not in self._asked:
            return Replay.SKIPPED
        if event.pk not in self._together.claimed:
            return Replay.BUSY
        self._begun = event.pk
        try:
            settled = self._settled.get(event.pk, ())
            status = dispatch_again(event, self._asked[event.pk], settled)
        except Exception:
            logger.exception("The replay of %s was cut short", event)
            return Replay.FAILED
        self._ended[status].append(event.pk)
        return _COUNTS.get(status, Replay.SUCCEEDED)


_COUNTS = {Event.Status.FAILED: Replay.FAILED, Event.Status.SKIPPED: Replay.SKIPPED}
