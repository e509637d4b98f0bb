"""dj-stripe's webhook view: an endpoint in its tables, and deliveries as Stripe signs them.

Each delivery is an event of SuperOffice in the envelope of Stripe's. dj-stripe has no receiver for
such a name, so it verifies the event and stores it, and does nothing else.
"""

import hashlib
import hmac
import json
import time
from io import BytesIO
from typing import Any
from uuid import uuid4

from .. import SECRET
from ..deliveries import body, environ

PATH = "/stripe/webhook/{}/"
VERSION = "2025-01-27.acacia"
ACCOUNT = "acct_benchmarks"
_paths: list[str] = []


def environs(count: int) -> list[dict[str, Any]]:
    """Requests of Stripe's, as a WSGI server hands them over."""
    if not _paths:
        _paths.append(PATH.format(_endpoint()))
    return [_environ() for _ in range(count)]


def _environ() -> dict[str, Any]:
    sent = json.dumps(_event(), separators=(",", ":"), ensure_ascii=False).encode()
    now = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), now.encode() + b"." + sent, hashlib.sha256).hexdigest()
    named = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": f"t={now},v1={digest}",
    }
    return {**environ(_paths[0], sent, named), "wsgi.input": BytesIO(sent)}


def _event() -> dict[str, Any]:
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "api_version": VERSION,
        "created": int(time.time()),
        "data": {"object": {"object": "ticket", **json.loads(body())}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "ticket.changed",
    }


def _endpoint() -> str:
    """Store an endpoint, and the account of the key, which Stripe would be asked for otherwise."""
    from djstripe.models import Account, APIKey, WebhookEndpoint  # noqa: PLC0415
    from djstripe.settings import djstripe_settings  # noqa: PLC0415

    account, _ = Account.objects.get_or_create(id=ACCOUNT, defaults={"livemode": False})
    key = djstripe_settings.get_default_api_key(livemode=False)
    APIKey.objects.get_or_create(
        secret=key,
        defaults={"type": "secret", "livemode": False, "djstripe_owner_account": account},
    )
    endpoint, _ = WebhookEndpoint.objects.get_or_create(
        id="we_benchmarks",
        defaults={
            "djstripe_owner_account": account,
            "livemode": False,
            "secret": SECRET,
            "url": "https://crm.example.com/",
            "enabled_events": ["*"],
            "status": "enabled",
        },
    )
    return str(endpoint.djstripe_uuid)
