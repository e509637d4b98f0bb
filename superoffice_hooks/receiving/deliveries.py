"""Receiving: verify a delivery, parse it, record it.

What passes through here without an exception is committed, or in the spool, and is answered 200.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from django.views.decorators.debug import sensitive_variables

from .. import conf
from ..exceptions import Refused, ends_the_process
from ..models import Event, Redelivery, Rejection, errors, queue
from ..models.transactions import own_transaction
from ..signals import delivery_rejected
from ..wire.logs import get_logger
from ..wire.notification import Delivery, Notification, Unreadable
from ..wire.signature import HEADER, is_signed
from . import spool
from .pausing import pause
from .redacting import redacted
from .storing import DatabaseAway, NotStorable, store
from .taking import Result, Taking, note, taking

logger = get_logger(__name__)

Place = Mapping[str, Any]
"""The columns of the queue with which a new event is stored."""

_MAX_REFUSED = 10
"""Draining ends for now if the database refuses so many spooled deliveries in a row: the cause is
probably the database."""

_doubtful: dict[str, float] = {}
"""When each spooled delivery that could not be stored was tried first, by the monotonic clock."""


def receive(delivery: Delivery, place: Place | None = None) -> Event | None:
    """Take one delivery in; return the event to dispatch now, if there is one.

    ``place`` is the place of a new event in the queue.

    Raises:
        Refused: unsigned, wrongly signed, too large, or for an unknown endpoint. Kept as an
            unverified Rejection, within bounds.
        NotStored: neither the database nor a spool could take it; SuperOffice should try again.
    """
    try:
        verified = redacted(verify(delivery))
    except Refused as refusal:
        refuse(delivery, refusal.reason)
        raise
    if conf.current().SPOOL_DIR and not pause.is_over():
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


def drain(limit: int = sys.maxsize) -> Iterator[Event]:
    """Store up to ``limit`` spooled deliveries in the database, oldest first.

    Yields the events to dispatch now. Ends early, without an error, while the database is away. A
    delivery that cannot be stored does not block the ones behind it.
    """
    if not conf.current().SPOOL_DIR:
        return
    refused = 0
    for name in islice(spool.waiting(last=_doubtful), limit):
        if refused == _MAX_REFUSED or not pause.is_over_here():
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
    """Store one spooled delivery and delete its file, or set a damaged file aside.

    Raises:
        DatabaseAway: nothing was stored.
        NotStorable: nothing was stored, and the database works.
    """
    try:
        with spool.locked(name) as delivery:
            if delivery is None:
                return None
            with taking(Taking(delivery.endpoint, delivery.remote_addr, is_spooled=True)):
                event = store(redacted(delivery), record, keep)
            spool.done(name)
    except spool.Damaged as error:
        spool.set_aside(name, str(error))
        return None
    except OSError as error:
        spool.pass_over(name, error)
        return None
    _doubtful.pop(name, None)
    return event


def _doubt(name: str, reason: str) -> None:
    """Set a delivery aside if the database refused it before and took another one since.

    Until then, the cause may be the database.
    """
    since = _doubtful.setdefault(name, time.monotonic())
    if pause.succeeded_at > since:
        del _doubtful[name]
        spool.set_aside(name, reason)


def log_away(error: DatabaseAway) -> None:
    """Begin the pause and log that the database is away, once for each outage."""
    if pause.begin():
        logger.warning("The database cannot take deliveries: %s", error)


@sensitive_variables()
def verify(delivery: Delivery) -> Delivery:
    """Return the delivery, marked as signed if one of its endpoint's secrets signed it.

    Raises:
        Refused: unsigned, wrongly signed, too large, or for an unknown endpoint.
    """
    settings = conf.current()
    secrets = settings.secrets_of(delivery.endpoint)
    if len(delivery.body) > settings.MAX_BODY_BYTES:
        raise Refused("body too large")
    signature = delivery.headers.get(HEADER)
    if not signature:
        # Text from an environment is true even if it says False.
        if settings.ALLOW_UNSIGNED is True:
            return delivery
        raise Refused("signature missing")
    if not is_signed(delivery.body, signature, secrets):
        raise Refused("signature wrong")
    return replace(delivery, signed=True)


def receive_again(rejection: Rejection, who: str) -> tuple[Event, bool]:
    """Parse a verified rejection again; replace its row by an event.

    ``who`` is named in the event's problems. Returns the event, and whether it should be dispatched
    now. If it raises, nothing has changed.

    Raises:
        Unreadable: it is unreadable still.
        Rejection.DoesNotExist: it is unverified, or another process was faster.
    """
    remark = f"It was a rejection first ({rejection.reason}) and was parsed again by {who}."
    with own_transaction(queue.using()):
        return record(redacted(rejection.take()), None, remark)


def record(delivery: Delivery, place: Place | None = None, *remarks: str) -> tuple[Event, bool]:
    """Store a delivery as an event, or as a redelivery; return the event.

    Also returns whether to dispatch it now: if it is new, not begun yet, or had failed. ``remarks``
    are added to the problems of a new event.

    Raises:
        Unreadable: this version cannot read it, or the database cannot hold it.
    """
    try:
        notification = Notification.parse(delivery)
        if remarks:
            notification = replace(notification, problems=(*notification.problems, *remarks))
        place = queue.place_of_new() if place is None else place
        event, is_new = Event.objects.record(delivery, notification, place)
        note(Result.EVENT if is_new else Result.REDELIVERY, event=event)
        if is_new:
            return event, not event.finished_at
        Redelivery.objects.record(event, delivery, notification)
        if conf.is_late(event.occurred_at, delivery.received_at):
            return event, False
        return event, queue.hurry(event) or queue.revive(event)
    except Unreadable:
        raise
    except Exception as error:
        # The callers handle a database that is away.
        if errors.is_away(error):
            raise
        logger.exception("A delivery to %s could not be made an event", delivery.endpoint)
        raise Unreadable(f"not storable: {type(error).__name__}") from error


def keep(delivery: Delivery, reason: str) -> None:
    """Keep a delivery that makes no event, with its whole body.

    A body that cannot be read or stored would be no better when it is sent again, so it is kept as
    it is and acknowledged. An unsigned one, let in by ALLOW_UNSIGNED, is bounded like a refused
    one.
    """
    logger.error(
        "A delivery to %s was kept as a rejection: %s",
        delivery.endpoint,
        reason,
        extra={"reason": reason},
    )
    note(Result.REJECTED, reason)
    if delivery.signed:
        Rejection.objects.keep(delivery, reason)
    else:
        Rejection.objects.refuse(delivery, reason)


def refuse(delivery: Delivery, reason: str) -> None:
    """Store a refused delivery, within bounds, and send ``delivery_rejected``."""
    logger.warning(
        "A delivery to %s was refused: %s", delivery.endpoint, reason, extra={"reason": reason}
    )
    note(Result.REFUSED, reason)
    kept = redacted(delivery, Rejection.objects.HEAD_BYTES)
    if rejection := Rejection.objects.refuse(kept, reason):
        try:
            delivery_rejected.send_robust(sender=Rejection, rejection=rejection)
        # Django catches no SystemExit, which would end the web process, and no cancellation.
        except BaseException as error:
            if ends_the_process(error):
                raise
            logger.error(  # noqa: TRY400
                "A receiver of delivery_rejected raised for %s", rejection, exc_info=error
            )
