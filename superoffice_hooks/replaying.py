"""Replaying: select → plan → replay. Receivers are called again; a row says for whom and why.

A replay is carried on by one process at a time: the one that planned it, or a dispatcher. It claims
no event, so a replay that dies leaves every event as it was. Before it is planned, ``Preview`` says
what it would do.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice

from django.db import connections, router
from django.db.models import Count, Max

from . import conf
from .calling import BrokenOff, call
from .dispatching import announce
from .exceptions import GiveUp
from .logs import get_logger
from .models import Event, ReceiverRun, Replay, queue
from .models.updating import Update
from .previewing import Preview
from .receivers import Verdict
from .selecting import Criteria, select
from .signals import calls_for, webhook_tested

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

# How many events, and for how long, are counted together. While receivers are slow there are fewer,
# so that little is repeated after a process died, and a replay ends soon after it was cancelled.
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
    the claim is kept, so that nobody runs into the same error before its lease has ended.
    """
    if not planned.take():
        return
    # Claimed again without progress: somebody died of an event, so it goes on event by event.
    most = 1
    longest = 1 if planned.stalls > 1 else _TOGETHER
    ahead, left = _ahead(planned), list[int]()
    try:
        with _renewed(planned):
            while keys := [*left[:most], *islice(ahead, max(most - len(left), 0))]:
                together = Together(keys, planned)
                try:
                    yield from together
                finally:
                    goes_on = together.save()
                if not goes_on:
                    return
                left = [*together.keys, *left[most:]]
                most = min(max(2 * together.tried, 1), longest)
    except (GeneratorExit, BrokenOff):
        planned.release()
        raise
    planned.finish()


def _ahead(planned: Replay) -> Iterator[int]:
    """Yield the primary keys of the events that are left."""
    criteria = replace(Criteria.from_json(planned.criteria), limit=None)
    events = select(criteria).filter(pk__lte=planned.up_to)
    position = planned.position
    while keys := list(events.filter(pk__gt=position).values_list("pk", flat=True)[:_KEYS]):
        yield from keys
        position = keys[-1]


@contextmanager
def _renewed(planned: Replay) -> Iterator[None]:
    """Renew the claim of a replay while a call takes longer than a third of the lease."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(conf.current().LEASE_SECONDS / 3):
            try:
                planned.renew()
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


class Together:
    """Some events of a replay that are counted together.

    Only what receivers do, and that they ran, is committed for each event. If the process dies
    before the rest is, the events are tried again, and no receiver that succeeded is called again.
    """

    def __init__(self, keys: list[int], planned: Replay) -> None:
        self.keys = list(keys)
        """Of the events that have not been tried, in their order."""
        self.tried = 0
        self._planned = planned
        self._counts = Counter[str]()
        self._position = planned.position
        self._events = queue.events().in_bulk(keys)
        runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun))
        self._latest = runs.filter(event__in=self._looked_back()).latest_by_event()
        self._settled = runs.filter(replay=planned, event__in=keys).settled_by_event()

    def __iter__(self) -> Iterator[Event]:
        """Try one event or more, and yield each, until it is time to save the counts."""
        enough = time.monotonic() + _TOGETHER_SECONDS
        while self.keys and not (self.tried and time.monotonic() > enough):
            event = self._events.get(self.keys[0])
            counts = self._try(event) if event else ()
            self._position = self.keys.pop(0)
            self.tried += 1
            self._counts.update(counts)
            if event:
                yield event

    def save(self) -> bool:
        """Save the position and the counts; return whether the replay goes on."""
        return self._planned.advance(self._position, self._counts)

    def _looked_back(self) -> list[int]:
        """Return the events whose earlier runs matter."""
        if self._planned.only_failed:
            return list(self._events)
        can_be_mended = (Event.Status.FAILED, Event.Status.HANDLED)
        return [key for key, event in self._events.items() if event.status in can_be_mended]

    def _try(self, event: Event) -> tuple[str, ...]:
        """Replay one event; return the counters to increase.

        An unfinished event is left to its ordinary dispatch.
        """
        if not event.is_finished:
            return Replay.BUSY
        try:
            if event.is_test:
                announce(webhook_tested, event)
                return Replay.SKIPPED
            calls = [verdict for verdict in calls_for(event) if self._wants(verdict, event)]
            if not calls:
                return Replay.SKIPPED
            return self._call(event, calls)
        except BrokenOff:
            raise
        except Exception:
            logger.exception("Unexpected error while replaying %s", event)
            return Replay.FAILED

    def _wants(self, verdict: Verdict, event: Event) -> bool:
        """Whether the replay is for this receiver of an event."""
        path = verdict.receiver.path
        if not self._planned.concerns(path):
            return False
        if not self._planned.only_failed or path in self._settled.get(event.pk, {}):
            return True
        last = self._latest.get(event.pk, {}).get(path)
        return last is not None and last != ReceiverRun.Outcome.SUCCEEDED

    def _call(self, event: Event, calls: list[Verdict]) -> tuple[str, ...]:
        """Call receivers, but for those that were settled before the replay was broken off."""
        outcomes = dict(self._settled.get(event.pk, {}))
        left = [verdict for verdict in calls if verdict.receiver.path not in outcomes]
        if self._planned.stalls > conf.current().MAX_ATTEMPTS and not self.tried:
            left = self._give_up_the_deadly(event, left, outcomes)
        for verdict in left:

            def conclude(run: ReceiverRun) -> list[Update]:
                return self._mend(event, {**outcomes, run.receiver: run.outcome})

            is_last = verdict is left[-1]
            run = call(verdict, event, self._planned, *([conclude] if is_last else []))
            outcomes[run.receiver] = run.outcome
        succeeded = all(o == ReceiverRun.Outcome.SUCCEEDED for o in outcomes.values())
        return Replay.SUCCEEDED if succeeded else Replay.FAILED

    def _mend(self, event: Event, outcomes: dict[str, str]) -> list[Update]:
        """Return the update of a failed event, if each receiver succeeded in its last run."""
        latest = self._latest.get(event.pk, {}) | outcomes
        succeeded = all(o == ReceiverRun.Outcome.SUCCEEDED for o in latest.values())
        before = [Event.Status.FAILED, Event.Status.HANDLED]
        if not succeeded or event.status not in before:
            return []
        mended = "next_attempt_at IS NULL AND status IN (%s, %s)"
        return [Update(Event, {"status": Event.Status.SUCCEEDED}, [event.pk], mended, before)]

    def _give_up_the_deadly(
        self, event: Event, left: list[Verdict], outcomes: dict[str, str]
    ) -> list[Verdict]:
        """Write a failed run for the receiver in whose call the replay ended each time."""
        if not left:
            return left
        run = ReceiverRun.begin(event, left[0].receiver.path, self._planned)
        run.fail(GiveUp(f"{self._planned} was broken off {self._planned.stalls - 1} times here."))
        run.store()
        outcomes[run.receiver] = run.outcome
        logger.error("Receiver %s is given up for %s: %s", run.receiver, event, run.error)
        return left[1:]
