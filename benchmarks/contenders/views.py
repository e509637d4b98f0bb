"""The floor, and what people write today. Both verify: nobody may leave that out."""

import base64
import hashlib
import hmac
import json

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .. import SECRET
from .models import HandEvent, HandField, RawDelivery


def is_signed(request: HttpRequest) -> bool:
    expected = base64.b64encode(hmac.new(SECRET.encode(), request.body, hashlib.sha256).digest())
    sent = request.headers.get("X-SuperOffice-Signature", "")
    return hmac.compare_digest(expected, sent.encode())


@csrf_exempt
@require_POST
def floor(request: HttpRequest) -> HttpResponse:
    """The smallest honest view: verify, read, one autocommitted INSERT."""
    if not is_signed(request):
        return HttpResponse(status=401)
    json.loads(request.body)
    RawDelivery.objects.create(body=request.body)
    return HttpResponse("OK")


@csrf_exempt
@require_POST
def by_hand(request: HttpRequest) -> HttpResponse:
    """One event however often it is delivered, and a row for each changed field."""
    if not is_signed(request):
        return HttpResponse(status=401)
    sent = json.loads(request.body)
    with transaction.atomic():
        event, is_new = HandEvent.objects.get_or_create(
            event_id=sent["EventId"],
            defaults={
                "name": sent["Event"],
                "primary_key": sent["PrimaryKey"],
                "occurred_at": sent["Timestamp"],
                "payload": sent,
            },
        )
        if is_new:
            HandField.objects.bulk_create(
                HandField(event=event, name=name) for name in sent["Changes"]
            )
    return HttpResponse("OK")
