"""The webhook view, which answers SuperOffice.

Answers: 200 ``OK`` (stored, redelivered, a test, an unknown name, signed but unreadable), 401, 404,
405, 413, 503; nothing else, and never a redirect. SuperOffice mails the body of an error answer to
administrators, so error answers have no body.
"""

import ipaddress
from dataclasses import replace

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import conf
from .dispatcher import Place
from .exceptions import NotStored, Refused
from .models import Event
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
    place = Place()
    event = None
    try:
        with taking(endpoint, _remote_addr(request)) as taken:
            answer, event = _take_in(request, taken, place)
            taken.status_code = answer.status_code
    finally:
        place.hand_over(event)
    return answer


def _take_in(
    request: HttpRequest, taken: Taking, place: Place
) -> tuple[HttpResponse, Event | None]:
    """Return the answer, and the event to dispatch now, if there is one."""
    try:
        event = deliveries.receive(_delivery(request, taken), place.columns)
    except (Refused, NotStored) as refusal:
        return HttpResponse(status=refusal.status_code), None
    except Exception:
        # After 503 SuperOffice sends the event again, so an error of ours does not lose it.
        logger.exception("A delivery to %s could not be taken in", taken.endpoint)
        return HttpResponse(status=NotStored.status_code), None
    return HttpResponse("OK", content_type="text/plain"), event


# Under ATOMIC_REQUESTS our row would vanish if anything else fails in the request, after the 200.
for _alias in connections:
    webhook = transaction.non_atomic_requests(_alias)(webhook)


def _delivery(request: HttpRequest, taken: Taking) -> Delivery:
    """Return the request as a delivery; a body that is too long is cut one byte after the limit.

    Raises:
        Refused: the body cannot be read; the rejection is stored.
    """
    delivery = Delivery(
        endpoint=storable_text(taken.endpoint),
        body=b"",
        headers=request.headers,
        remote_addr=taken.remote_addr,
        received_at=timezone.now(),
        traceparent=taken.traceparent,
    )
    try:
        body = read_body(request, conf.current().MAX_BODY_BYTES + 1)
    except Refused as refusal:
        deliveries.refuse(delivery, refusal.reason)
        raise
    taken.size = len(body)
    return replace(delivery, body=body)


def _remote_addr(request: HttpRequest) -> str | None:
    """Return the peer's address; None behind a Unix socket, where servers set none or nonsense."""
    try:
        # PostgreSQL's inet takes no IPv6 zone ("%eth0").
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None
