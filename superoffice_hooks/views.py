"""The webhook view: the one door SuperOffice comes through.

Answers: 200 ``OK`` (stored, redelivered, a test, an unknown name, signed but unreadable), 401, 404,
405, 413, 503; nothing else, and never a redirect. SuperOffice mails the body of an error answer to
administrators, so it says nothing.
"""

import ipaddress
from dataclasses import replace

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import conf, receiving
from .dispatcher import Place
from .exceptions import NotStored, Refused
from .logs import get_logger
from .notification import Delivery
from .reading import read_body
from .values import storable_text

logger = get_logger(__name__)


@csrf_exempt
@login_not_required
@require_POST
def webhook(request: HttpRequest, endpoint: str = conf.DEFAULT_ENDPOINT) -> HttpResponse:
    """Take a delivery in and answer; the receivers are called by the dispatcher."""
    place = Place()
    event = None
    try:
        event = receiving.receive(_delivery(request, endpoint), place.columns)
    except (Refused, NotStored) as refusal:
        return HttpResponse(status=refusal.status_code)
    except Exception:
        # An error of ours is no reason to drop the event: SuperOffice tries again after 503.
        logger.exception("A delivery to %s could not be taken in", endpoint)
        return HttpResponse(status=NotStored.status_code)
    finally:
        place.hand_over(event)
    return HttpResponse("OK", content_type="text/plain")


# Under ATOMIC_REQUESTS our row would vanish with whatever else fails in the request, after the 200.
for _alias in connections:
    webhook = transaction.non_atomic_requests(_alias)(webhook)


def _delivery(request: HttpRequest, endpoint: str) -> Delivery:
    """Return the request as a delivery, with one byte more than is allowed if there are more.

    Raises:
        Refused: the body cannot be read; that is noted.
    """
    delivery = Delivery(
        endpoint=storable_text(endpoint),
        body=b"",
        headers=request.headers,
        remote_addr=_remote_addr(request),
        received_at=timezone.now(),
    )
    try:
        body = read_body(request, conf.current().MAX_BODY_BYTES + 1)
    except Refused as refusal:
        receiving.refuse(delivery, refusal.reason)
        raise
    return replace(delivery, body=body)


def _remote_addr(request: HttpRequest) -> str | None:
    """The peer's address; None behind a Unix socket, where servers set nothing or nonsense."""
    try:
        # PostgreSQL's inet takes no IPv6 zone ("%eth0").
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None
