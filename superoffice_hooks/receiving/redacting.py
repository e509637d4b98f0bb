"""Redacting at the door: what REDACT names is replaced before a delivery is kept anywhere."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac

from .. import conf
from ..wire.event_names import Names
from ..wire.notification import Delivery
from ..wire.redacting import redact
from ..wire.values import one_line, storable_text

_SHOWN = 10
"""How many paths the note names."""
_LONGEST = 100
_HAS_EVENT_ID = re.compile(rb'"EventId"\s*:\s*"[^"]')
_SALT = "superoffice_hooks.redacting"


def redacted(delivery: Delivery, length: int | None = None) -> Delivery:
    """Return the delivery without the values that REDACT names, and a note of what was replaced.

    Called once its signature is verified: the new body would not pass. With a length, only the
    start of the body is returned.
    """
    if length is not None:
        delivery = replace(delivery, body=delivery.body[:length])
    rules: Any = conf.current().REDACT
    if not rules:
        return delivery
    # A lone text is one name, not one a character.
    names = _names((rules,) if isinstance(rules, str) else tuple(rules))
    body, paths = redact(delivery.body, names) if names else (delivery.body, ())
    if not paths:
        return delivery
    shown = ", ".join(storable_text(one_line(path, _LONGEST)) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    signature = "was verified before" if delivery.signed else "was not verified"
    note = f"{shown}{more}; the signature {signature}"
    return replace(
        delivery,
        body=body,
        redacted="; ".join(filter(None, (delivery.redacted, note))),
        sent_as=delivery.sent_as or _identity(delivery.body),
    )


_names = lru_cache(maxsize=10)(Names)


def _identity(body: bytes) -> str:
    """Return an id of the body as it was sent, if it brings none.

    Two bodies may differ in redacted values alone. Without the project's SECRET_KEY, nobody can try
    out from the id what these were.
    """
    if _HAS_EVENT_ID.search(body):
        return ""
    digest = salted_hmac(_SALT, body.hex(), algorithm="sha256").digest()
    return str(UUID(bytes=digest[:16], version=5))
