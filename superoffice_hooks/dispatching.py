"""Dispatching: claim → run receivers → outcome."""

import random
from collections.abc import Collection, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

from django.db import IntegrityError, router, transaction
from django.dispatch import Signal
from django.utils import timezone

from . import conf
from .logs import get_logger
from .models import Event, ReceiverRun, Replay
from .receivers import Verdict
from .signals import calls_for, event_failed, webhook_tested

logger = get_logger(__name__)


def dispatch_now(event: Event) -> None:
    """Dispatch an event that just came in, and what waited for it; never raises.

    Claims it first, unless that was done as it was stored. If an outcome cannot be written down,
    the event stays claimed until its lease ends and can be claimed again after that.
    """
    try:
        if is_in_hand(event):
            dispatch(event)
            for follower in followers(event):
                dispatch(follower)
    except Exception:
        logger.exception("The dispatch of %s was cut short", event)


def dispatch_due(batch: int) -> Generator[Event, None, None]:
    """Dispatch what is due (never claimed, to be retried, or abandoned) until nothing is.

    Yields each event once it has been tried. ``batch`` events are claimed at a time; closing the
    generator gives back those it has not begun.
    """
    while claimed := Event.objects.claim_due(batch):
        try:
            while claimed:
                event = claimed.pop(0)
                if not event.is_claimed:
                    # Its lease ended while it waited here, and somebody else may have it by now.
                    continue
                try:
                    dispatch(event)
                except Exception:
                    logger.exception("The dispatch of %s was cut short", event)
                yield event
        finally:
            for event in claimed:
                event.release()


def is_in_hand(event: Event) -> bool:
    """Whether this process holds the claim, and it is the event's turn."""
    if not event.is_claimed and not event.claim():
        return False
    if not event.is_held_back():
        return True
    event.release()
    # The event it waits for may have ended just now, without having seen this one.
    return not event.is_held_back() and event.claim()


def followers(event: Event) -> Iterator[Event]:
    """Events of the same record that waited for this one, claimed one after the other."""
    while conf.current().ORDERED and (claimed := Event.objects.same_record(event).claim_due(1)):
        yield from claimed


def dispatch(event: Event) -> Event.Status:
    """Call the receivers of an event this process has claimed, and write down what came of it.

    A receiver that raises stops no other, and one that succeeded is not called again.
    """
    if event.is_test:
        announce(webhook_tested, event)
        return event.conclude(Event.Status.SKIPPED)
    calls = calls_for(event, sender=Event)
    left = outstanding(calls, event)
    if left and event.attempts > conf.current().MAX_ATTEMPTS:
        return give_up(event, "every attempt ended with its process")
    return settle(event, calls, [run(call, event) for call in left])


def dispatch_again(event: Event, replay: Replay, settled: Collection[str]) -> Event.Status:
    """Call the receivers of a claimed event for a replay; what came of it is not written down yet.

    ``settled`` are the dotted paths of those that need not be called again in this replay.
    """
    if event.is_test:
        announce(webhook_tested, event)
        return Event.Status.SKIPPED
    calls = calls_for(event, sender=Event)
    asked = [call for call in calls if replay.concerns(call.receiver.path)]
    left = [call for call in asked if call.receiver.path not in settled]
    return outcome(event, calls, [run(call, event, replay) for call in left])


def outstanding(calls: list[Verdict], event: Event) -> list[Verdict]:
    """The receivers that have neither succeeded nor given up."""
    if event.attempts == 1:
        return calls
    settled = ReceiverRun.objects.of(event, None).settled_receivers()
    return [call for call in calls if call.receiver.path not in settled]


def run(call: Verdict, event: Event, replay: Replay | None = None) -> ReceiverRun:
    """Call one receiver; what it does in the database is committed together with its run's row.

    So either both happened or neither, and the unique key on the row lets only one of two processes
    commit, however they got hold of the same event.
    """
    receiver = call.receiver
    this = ReceiverRun.begin(event, receiver.path, replay)
    try:
        with own_transaction() if receiver.options.atomic else nullcontext():
            call(sender=Event, event=event, replay=replay)
            this.succeed()
    # sys.exit() in a receiver is that receiver's failure, not the end of the server.
    except (Exception, SystemExit) as error:
        # event.delete() is undone with the rest, but has left the instance without its key.
        event.pk = this.event_id
        if isinstance(error, IntegrityError) and (other := this.success_elsewhere()):
            return other
        logger.warning("Receiver %s raised for %s", receiver.path, event, exc_info=error)
        this.fail(error)
    return this


def own_transaction() -> AbstractContextManager[None]:
    """A transaction in the database that holds the runs."""
    return transaction.atomic(using=router.db_for_write(ReceiverRun))


def settle(event: Event, calls: list[Verdict], runs: list[ReceiverRun]) -> Event.Status:
    """End the claim as the runs want it: done, or pending again, or failed for good."""
    unsettled = [run for run in runs if not run.is_settled]
    if unsettled and event.attempts < conf.current().MAX_ATTEMPTS:
        return event.postpone(next_attempt_at(event.attempts, unsettled))
    status = outcome(event, calls, runs)
    if status == Event.Status.FAILED:
        return give_up(event, "no attempt is left" if unsettled else "a receiver gave up")
    return event.conclude(status)


def outcome(event: Event, calls: list[Verdict], runs: list[ReceiverRun]) -> Event.Status:
    """What an event is when these runs were its last: it failed if any receiver's last run did."""
    if not calls:
        return Event.Status.SKIPPED
    failed = any(run.outcome != ReceiverRun.Outcome.SUCCEEDED for run in runs)
    # Those that ran in an earlier attempt, or are left out by a replay.
    others = {call.receiver.path for call in calls} - {run.receiver for run in runs}
    if others and not failed:
        failed = event.runs.all().last_failed(others)
    return Event.Status.FAILED if failed else Event.Status.SUCCEEDED


def next_attempt_at(attempts: int, unsettled: list[ReceiverRun]) -> datetime:
    """When all unsettled receivers may be called again, a little later at random."""
    delays = conf.current().RETRY_DELAYS
    usual = delays[min(attempts, len(delays)) - 1]
    longest = max(usual if run.retry_after is None else run.retry_after for run in unsettled)
    # No secret: it only spreads the load.
    return timezone.now() + timedelta(seconds=longest * random.uniform(1, 1.1))  # noqa: S311


def give_up(event: Event, why: str) -> Event.Status:
    """End an event that wants a person, and say so."""
    status = event.conclude(Event.Status.FAILED)
    logger.error("%s failed for good after %d attempts: %s", event, event.attempts, why)
    announce(event_failed, event)
    return status


def announce(signal: Signal, event: Event) -> None:
    """Tell whoever listens; nothing is recorded of it."""
    for receiver, error in signal.send_robust(sender=Event, event=event):
        if isinstance(error, Exception):
            logger.error("%r raised for %s", receiver, event, exc_info=error)
