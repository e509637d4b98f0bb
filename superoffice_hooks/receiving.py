"""Receiving: verify → parse → record.

What comes out of here without an exception is committed, or on the spool's disk, and SuperOffice
may be told 200.
"""

import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connections, router, transaction

from . import conf, spool
from .exceptions import BodyTooLarge, Refused, SignatureMissing, SignatureWrong
from .models import Event, Redelivery, Rejection, queue
from .notification import Delivery, Notification, Unreadable
from .signals import delivery_rejected
from .signature import HEADER, is_signed

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)


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
    try:
        return with_a_live_connection(partial(record, place=place), verified)
    except DATABASE_AWAY as error:
        logger.warning("The database cannot take a delivery to %s: %s", delivery.endpoint, error)
        spool.put(verified)
        return None


def drain(most: int = sys.maxsize) -> Iterator[Event]:
    """Bring up to so many spooled deliveries into the database, oldest first.

    Yields the events to dispatch now. Ends early, and quietly, if the database is away still.
    """
    for _ in range(most):
        try:
            with spool.oldest() as delivery:
                if delivery is None:
                    return
                event = record(delivery)
        except (*DATABASE_AWAY, sqlite3.Error) as error:
            logger.warning("The spool could not be drained now: %s", error)
            return
        if event:
            yield event


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
            return event, True
        Redelivery.objects.record(event, delivery, notification)
        return event, queue.hurry(event) or queue.revive(event)
    except (*DATABASE_AWAY, Unreadable):
        raise
    except Exception as error:
        logger.exception("A delivery to %s could not be made an event", delivery.endpoint)
        raise Unreadable(f"not storable: {type(error).__name__}") from error


def with_a_live_connection(
    story: Callable[[Delivery], Event | None], delivery: Delivery
) -> Event | None:
    """The story told once more if the connection it began with had died since its last use."""
    connection = connections[router.db_for_write(Event)]
    try:
        return story(delivery)
    except DATABASE_AWAY:
        had_died = connection.connection is not None and not connection.is_usable()
        if connection.in_atomic_block or not had_died:
            raise
        connection.close()
        return story(delivery)


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
