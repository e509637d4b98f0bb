"""The webhook view, which answers SuperOffice.

Answers: 200 ``OK`` (stored, redelivered, a test, an unknown name, signed but unreadable), 401, 404,
405, 413, 503; nothing else, and never a redirect. SuperOffice mails the body of an error answer to
administrators, so error answers have no body.
"""

import ipaddress
from functools import lru_cache, partial

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import conf
from .dispatcher import Place
from .exceptions import NotStored, Refused
from .receiving import deliveries
from .receiving.reading import read_body
from .receiving.taking import Taking, taking
from .wire.logs import get_logger
from .wire.notification import Delivery
from .wire.values import storable_text

logger = get_logger(__name__)


@csrf_exempt
@login_not_required
@require_POST
def webhook(request: HttpRequest, endpoint: str = conf.DEFAULT_ENDPOINT) -> HttpResponse:
    """Store a delivery and answer; the dispatcher calls the receivers."""
    taken = Taking(endpoint, _address(request.META.get("REMOTE_ADDR", "")))
    place, event = Place(), None
    try:
        with taking(taken):
            try:
                event = deliveries.receive(_delivery(request, taken), place.columns)
                answer = HttpResponse("OK", content_type="text/plain")
            except (Refused, NotStored) as refusal:
                answer = HttpResponse(status=refusal.status_code)
            except Exception:
                # After 503 SuperOffice sends the event again, so an error of ours does not lose it.
                logger.exception("A delivery to %s could not be taken in", taken.endpoint)
                answer = HttpResponse(status=NotStored.status_code)
            taken.status_code = answer.status_code
    finally:
        # Also if the process is told to end: the lane is kept for it.
        place.hand_over(event)
    return answer


# Under ATOMIC_REQUESTS our row would vanish if anything else fails in the request, after the 200.
for _alias in connections:
    webhook = transaction.non_atomic_requests(_alias)(webhook)


def _delivery(request: HttpRequest, taken: Taking) -> Delivery:
    """Return the request as a delivery; a body that is too long is cut one byte after the limit.

    Raises:
        Refused: the body cannot be read; the rejection is stored.
    """
    delivery = partial(
        Delivery,
        endpoint=storable_text(taken.endpoint),
        headers=request.headers,
        remote_addr=taken.remote_addr,
        received_at=timezone.now(),
        traceparent=taken.traceparent,
    )
    try:
        body = read_body(request, conf.current().MAX_BODY_BYTES + 1)
    except Refused as refusal:
        deliveries.refuse(delivery(body=b""), refusal.reason)
        raise
    taken.size = len(body)
    return delivery(body=body)


@lru_cache(maxsize=1000)
def _address(peer: str) -> str | None:
    """Return the peer's address; None behind a Unix socket, where servers set none or nonsense."""
    try:
        # PostgreSQL's inet takes no IPv6 zone ("%eth0").
        return str(ipaddress.ip_address(peer.partition("%")[0]))
    except ValueError:
        return None
