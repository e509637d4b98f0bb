"""Receiving: verify → parse → record.

What comes out of here without an exception is committed, and SuperOffice may be told 200.
"""

import logging

from django.db import InterfaceError, OperationalError

from . import conf
from .exceptions import BodyTooLarge, NotStored, Refused, SignatureMissing, SignatureWrong
from .models import Event, Redelivery, Rejection
from .notification import Delivery, Notification, Unreadable
from .signals import delivery_rejected
from .signature import HEADER, is_signed

logger = logging.getLogger(__name__)


def receive(delivery: Delivery) -> Event | None:
    """Take one delivery in; the event this process is to dispatch now, if it made one.

    Raises:
        Refused: nobody vouches for the delivery. Kept as an unverified Rejection, within bounds.
        NotStored: the database is out of reach; SuperOffice should try again.
    """
    try:
        verify(delivery)
        return record(delivery)
    except Refused as refusal:
        refuse(delivery, refusal.reason)
        raise
    except (OperationalError, InterfaceError) as error:
        logger.error("A delivery to %s could not be stored: %s", delivery.endpoint, error)  # noqa: TRY400  (the traceback is the database driver's)
        raise NotStored from error


def verify(delivery: Delivery) -> None:
    """Let a delivery pass if one of its endpoint's secrets signed it.

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
            return
        raise SignatureMissing
    if not is_signed(delivery.body, signature, secrets):
        raise SignatureWrong


def record(delivery: Delivery) -> Event | None:
    """Write a verified delivery down: as an event, a redelivery, or whole, if it makes no sense.

    Nothing that was signed is lost: a body this version cannot read, or the database cannot hold,
    will be no better when it is sent again, so it is kept as it is and acknowledged.
    """
    try:
        notification = Notification.parse(delivery)
        event, is_new = Event.objects.record(delivery, notification)
        if is_new:
            return event
        Redelivery.objects.record(event, delivery, notification)
    except (OperationalError, InterfaceError):
        raise
    except Unreadable as error:
        keep(delivery, str(error))
    except Exception as error:
        logger.exception("A delivery to %s could not be made an event", delivery.endpoint)
        keep(delivery, f"not storable: {type(error).__name__}")
    return None


def keep(delivery: Delivery, reason: str) -> None:
    """Keep a delivery that makes no event: the body whole, for somebody to look at.

    What ALLOW_UNSIGNED let in is bounded like everything nobody vouches for.
    """
    logger.error("A delivery to %s was kept as a rejection: %s", delivery.endpoint, reason)
    if delivery.headers.get(HEADER):
        Rejection.objects.keep(delivery, reason)
    else:
        Rejection.objects.refuse(delivery, reason)


def refuse(delivery: Delivery, reason: str) -> None:
    """Note a refused delivery and tell whoever listens."""
    logger.warning("A delivery to %s was refused: %s", delivery.endpoint, reason)
    if rejection := Rejection.objects.refuse(delivery, reason):
        delivery_rejected.send_robust(sender=Rejection, rejection=rejection)
