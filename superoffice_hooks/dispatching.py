"""Dispatching: claim → run receivers → outcome."""

import logging

from django.db import IntegrityError, router, transaction

from .models import Event, ReceiverRun, Replay
from .signals import Receiver, receivers_of, webhook_tested

logger = logging.getLogger(__name__)


def dispatch_now(event: Event) -> None:
    """Dispatch an event whose sender has its answer: whatever happens stays here.

    If the outcome cannot be written down, the event stays claimed until its lease ends and can be
    claimed again after that.
    """
    try:
        dispatch(event)
    except Exception:
        logger.exception("The dispatch of %s was cut short", event)


def dispatch(event: Event, replay: Replay | None = None) -> Event.Status:
    """Call the receivers of an event this process has claimed, and write down what came of it.

    A receiver that raises stops no other, and one that succeeded is not called again.
    """
    if event.is_test:
        announce_test(event)
        return event.conclude(Event.Status.SKIPPED)
    receivers = receivers_of(event.name, sender=Event)
    runs = [run(receiver, event, replay) for receiver in outstanding(receivers, event, replay)]
    return event.conclude(outcome(receivers, runs, event, replay))


def announce_test(event: Event) -> None:
    """Tell whoever listens that a registration found us; nothing is recorded of it."""
    for receiver, error in webhook_tested.send_robust(sender=Event, event=event):
        if isinstance(error, Exception):
            logger.error("%r raised for the test event", receiver, exc_info=error)


def outstanding(receivers: list[Receiver], event: Event, replay: Replay | None) -> list[Receiver]:
    """The receivers that are asked for and have not succeeded yet."""
    if replay:
        receivers = [receiver for receiver in receivers if replay.concerns(receiver.path)]
    if event.attempts == 1:
        return receivers
    succeeded = ReceiverRun.objects.of(event, replay).succeeded_receivers()
    return [receiver for receiver in receivers if receiver.path not in succeeded]


def run(receiver: Receiver, event: Event, replay: Replay | None) -> ReceiverRun:
    """Call one receiver; what it does in the database is committed together with its run's row.

    So either both happened or neither, and the unique key on the row lets only one of two processes
    commit, however they got hold of the same event.
    """
    call = ReceiverRun.begin(event, receiver.path, replay)
    try:
        with transaction.atomic(using=router.db_for_write(ReceiverRun)):
            receiver(sender=Event, event=event, changes=event.changes, replay=replay)
            call.succeed()
    # sys.exit() in a receiver is that receiver's failure, not the end of the server.
    except (Exception, SystemExit) as error:
        # event.delete() is undone with the rest, but has left the instance without its key.
        event.pk = call.event_id
        if isinstance(error, IntegrityError) and (other := call.success_elsewhere()):
            return other
        logger.exception("Receiver %s raised for %s", receiver.path, event)
        call.fail(error)
    return call


def outcome(
    receivers: list[Receiver], runs: list[ReceiverRun], event: Event, replay: Replay | None
) -> Event.Status:
    """What the runs make of the event; receivers a replay left out keep their last outcome."""
    if not receivers:
        return Event.Status.SKIPPED
    failed = any(run.outcome == ReceiverRun.Outcome.FAILED for run in runs)
    if not failed and replay and replay.receivers:
        failed = ReceiverRun.objects.filter(event=event).last_failed(r.path for r in receivers)
    return Event.Status.FAILED if failed else Event.Status.SUCCEEDED
