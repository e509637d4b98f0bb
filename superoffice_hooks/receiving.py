"""Receiving: verify → parse → record.

What comes out of here without an exception is committed, or on the spool's disk, and SuperOffice
may be told 200.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from django.db import router, transaction
from django.views.decorators.debug import sensitive_variables

from . import conf, spool
from .exceptions import BodyTooLarge, Refused, SignatureMissing, SignatureWrong
from .logs import get_logger
from .models import Event, Redelivery, Rejection, errors, queue
from .notification import Delivery, Notification, Unreadable
from .pausing import pause
from .signals import delivery_rejected
from .signature import HEADER, is_signed
from .storing import DatabaseAway, NotStorable, store

logger = get_logger(__name__)


Place = Mapping[str, Any]
"""The columns of the queue with which a new event is stored."""


def receive(delivery: Delivery, place: Place | None = None) -> Event | None:
    """Take one delivery in; return the event to dispatch now, if there is one.

    ``place`` is the place of a new event in the queue.

    Raises:
        Refused: nobody vouches for the delivery. Kept as an unverified Rejection, within bounds.
        NotStored: neither the database nor a spool could take it; SuperOffice should try again.
    """
    try:
        verified = verify(delivery)
    except Refused as refusal:
        refuse(delivery, refusal.reason)
        raise
    if spool.is_on() and not pause.is_over():
        spool.put(verified)
        return None
    try:
        return store(verified, partial(record, place=place), keep)
    except NotStorable as error:
        logger.warning("A delivery to %s cannot be stored: %s", delivery.endpoint, error)
    except DatabaseAway as error:
        log_away(error)
    spool.put(verified)
    return None


def drain(most: int = sys.maxsize) -> Iterator[Event]:
    """Bring up to so many spooled deliveries into the database, oldest first.

    Yields the events to dispatch now. Ends early, and quietly, if the database is away still.
    Nothing in the spool is in the way of what is behind it.
    """
    if not spool.is_on():
        return
    refused = 0
    for name in islice(spool.waiting(last=_doubtful), most):
        if refused == _MOST_REFUSED or not pause.is_over_here():
            return
        try:
            event = _store_spooled(name)
        except DatabaseAway as error:
            log_away(error)
            return
        except NotStorable as error:
            _doubt(name, str(error))
            refused += 1
            continue
        refused = 0
        if event:
            yield event


def _store_spooled(name: str) -> Event | None:
    """Store one spooled delivery and delete it; set aside what is none.

    Raises:
        DatabaseAway: nothing was stored.
        NotStorable: nothing was stored, and the database works.
    """
    try:
        with spool.locked(name) as delivery:
            if delivery is None:
                return None
            event = store(delivery, record, keep)
            spool.done(name)
    except spool.Damaged as error:
        spool.set_aside(name, str(error))
        return None
    except OSError as error:
        spool.pass_over(name, error)
        return None
    _doubtful.pop(name, None)
    return event


# So many in a row are as many as are tried at a time: then it is hardly each row's own fault.
_MOST_REFUSED = 10

# When each spooled delivery that could not be stored was tried first, by the monotonic clock.
_doubtful: dict[str, float] = {}


def _doubt(name: str, reason: str) -> None:
    """Set a delivery aside if the database refused it before and took another one since.

    Until then the fault may be the database's, for a reason that is not known here.
    """
    since = _doubtful.setdefault(name, time.monotonic())
    if pause.succeeded_at > since:
        del _doubtful[name]
        spool.set_aside(name, reason)


def log_away(error: DatabaseAway) -> None:
    """Note that the database is away, once for each time that it is."""
    if pause.begin():
        logger.warning("The database cannot take deliveries: %s", error)


@sensitive_variables()
def verify(delivery: Delivery) -> Delivery:
    """Let a delivery pass if one of its endpoint's secrets signed it, and note that it did.

    Raises:
        Refused: it did not pass, and which rule it broke.
    """
    settings = conf.current()
    secrets = settings.secrets_of(delivery.endpoint)
    if len(delivery.body) > settings.MAX_BODY_BYTES:
        raise BodyTooLarge
    signature = delivery.headers.get(HEADER)
    if not signature:
        # Text from an environment is true even when it says False.
        if settings.ALLOW_UNSIGNED is True:
            return delivery
        raise SignatureMissing
    if not is_signed(delivery.body, signature, secrets):
        raise SignatureWrong
    return replace(delivery, signed=True)


def record(delivery: Delivery, place: Place | None = None) -> Event | None:
    """Write a verified delivery down: as an event, a redelivery, or whole, if it makes no sense.

    Nothing that was signed is lost: a body this version cannot read, or the database cannot hold,
    will be no better when it is sent again, so it is kept as it is and acknowledged.

    Returns the event if it should be dispatched now.
    """
    try:
        event, is_due = as_event(delivery, place)
    except Unreadable as error:
        keep(delivery, str(error))
        return None
    return event if is_due else None


def receive_again(rejection: Rejection, who: str) -> tuple[Event, bool]:
    """Read a signed delivery that could not be read before; in place of its row there is an event.

    ``who`` asked for it, for the event's problems. Returns the event, and whether it should be
    dispatched now.

    Raises:
        Unreadable: it still is. Nothing has changed.
        Rejection.DoesNotExist: nobody signed it, or somebody else was faster. Nothing has changed.
    """
    remark = f"It was a rejection first ({rejection.reason}) and was parsed again by {who}."
    with transaction.atomic(using=router.db_for_write(Event)):
        return as_event(rejection.take(), None, remark)


def as_event(delivery: Delivery, place: Place | None, *remarks: str) -> tuple[Event, bool]:
    """Return the event of a delivery, and whether it should be dispatched now.

    So should a new one, one that nobody has begun yet, and one that had failed.

    ``remarks`` are added to the problems of a new event.

    Raises:
        Unreadable: this version cannot read it, or the database cannot hold it.
    """
    try:
        notification = Notification.parse(delivery)
        if remarks:
            notification = replace(notification, problems=(*notification.problems, *remarks))
        place = queue.place_of_new() if place is None else place
        event, is_new = Event.objects.record(delivery, notification, place)
        if is_new:
            return event, not event.finished_at
        Redelivery.objects.record(event, delivery, notification)
        if conf.is_late(event.occurred_at, delivery.received_at):
            return event, False
        return event, queue.hurry(event) or queue.revive(event)
    except Unreadable:
        raise
    except Exception as error:
        # Whoever stores it decides what to do then.
        if errors.is_away(error):
            raise
        logger.exception("A delivery to %s could not be made an event", delivery.endpoint)
        raise Unreadable(f"not storable: {type(error).__name__}") from error


def keep(delivery: Delivery, reason: str) -> None:
    """Keep a delivery that makes no event: the body whole, for somebody to look at.

    What ALLOW_UNSIGNED let in is bounded like everything nobody vouches for.
    """
    logger.error("A delivery to %s was kept as a rejection: %s", delivery.endpoint, reason)
    if delivery.signed:
        Rejection.objects.keep(delivery, reason)
    else:
        Rejection.objects.refuse(delivery, reason)


def refuse(delivery: Delivery, reason: str) -> None:
    """Note a refused delivery and tell whoever listens."""
    logger.warning("A delivery to %s was refused: %s", delivery.endpoint, reason)
    if rejection := Rejection.objects.refuse(delivery, reason):
        delivery_rejected.send_robust(sender=Rejection, rejection=rejection)
