"""Plain signals: nothing is recorded of them."""

from typing import Any

from django.db import connections
from django.db.models import Model
from django.dispatch import Signal

from ..exceptions import ends_the_process
from ..models import Event, ReceiverRun, queue
from ..signals import event_failed, receiver_ran
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from .lending import Lent

logger = get_logger(__name__)


def announce(signal: Signal, event: Event, sender: Any = Event, **arguments: Any) -> None:
    """Send a plain signal about an event; nothing is recorded of it, and errors are logged."""
    key = event.pk
    try:
        send(signal, event, fields(event=event), sender=sender, event=event, **arguments)
    finally:
        # A receiver that deletes the event takes its key away.
        event.pk = key


def send(signal: Signal, row: Model, extra: dict[str, Any], **arguments: Any) -> None:
    """Send a plain signal about a row. Errors of its receivers are logged with these fields."""
    try:
        with Lent(connections[queue.using()]) as lent:
            lent.watch()
            for receiver, error in signal.send_robust(**arguments):
                if isinstance(error, Exception):
                    logger.error("%r raised for %s", receiver, row, exc_info=error, extra=extra)
    # Django catches no SystemExit and no cancellation.
    except BaseException as error:
        if ends_the_process(error):
            raise
        logger.error(  # noqa: TRY400
            "A receiver of %r raised for %s", signal, row, exc_info=error, extra=extra
        )


def announce_run(run: ReceiverRun, stored: ReceiverRun) -> ReceiverRun:
    """Send ``receiver_ran`` for a run that is stored; return what is stored.

    That is another run if another process was faster, which sends the signal itself.
    """
    if stored is run and receiver_ran.has_listeners():
        announce(receiver_ran, run.event, sender=ReceiverRun, run=run)
    return stored


def announce_failed(event: Event, how: str) -> None:
    """Log and announce that an event has failed for good."""
    logger.warning("%s failed for good %s", event, how)
    announce(event_failed, event)
