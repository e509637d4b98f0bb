"""What arrives (a delivery) and what it says (a notification).

Malformed values are tolerated, and named in ``problems``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from . import event_names
from .body import Body, Unreadable, changed_names, derived_id
from .values import storable_text

__all__ = ["KEPT_HEADERS", "REDACTED", "TRACEPARENT", "Delivery", "Notification", "Unreadable"]
__all__ += ["changed_names", "notes_of"]

KEPT_HEADERS = (
    "User-Agent",
    "Content-Type",
    "X-SuperOffice-Event",
    "X-SuperOffice-EventId",
    "X-SuperOffice-Retry",
    "X-Hook-Test",
)
"""An allow-list: webhooks may inject headers of their own, and those may carry secrets."""

TRACEPARENT = "traceparent"
"""Under this name the trace of a delivery is kept among its headers."""

REDACTED = "redacted"
"""Under this name it is kept which values of the body were replaced."""

_NOTES = (TRACEPARENT, REDACTED, "sent_as")
"""What of a delivery is kept among its headers, and is none: of what is stored, no column fits."""

_HEADER_LENGTH = 200


def notes_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of kept headers that are no headers but attributes of the delivery."""
    return {name: headers[name] for name in _NOTES if name in headers}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delivery:
    """One POST, as it arrived."""

    endpoint: str
    body: bytes
    headers: Mapping[str, str]
    """All request headers, by name without regard to case."""
    remote_addr: str | None
    received_at: datetime
    traceparent: str = ""
    """Our own trace, not what the sender's header says: that is not signed."""
    redacted: str = ""
    """Which values of the body were replaced, and whether it was signed before."""
    sent_as: str = ""
    """The id of the body before they were, if it brings none."""
    signed: bool = False
    """Whether one of the endpoint's secrets signed it, as far as that was verified."""

    def __repr__(self) -> str:
        """Show what may be stored; the other headers have the signature, cookies and passwords."""
        return (
            f"Delivery({self.endpoint!r}, {len(self.body)} bytes, {self.kept_headers()},"
            f" remote_addr={self.remote_addr!r}, received_at={self.received_at!r},"
            f" signed={self.signed!r})"
        )

    @property
    def retry(self) -> int | None:
        """Return how often SuperOffice says it tried before; None if it does not say."""
        text = self.headers.get("X-SuperOffice-Retry", "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None

    def kept_headers(self) -> dict[str, str]:
        """Return the headers worth keeping; never cookies, authorization or the signature."""
        kept = {
            name: storable_text(value[:_HEADER_LENGTH])
            for name in KEPT_HEADERS
            if (value := self.headers.get(name)) is not None
        }
        return kept | {name: note for name in _NOTES if (note := getattr(self, name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a delivery says, every value checked and fit to store.

    ``problems`` says what was odd, in whole sentences for the people who look at the event.
    """

    event_id: UUID
    name: str
    entity: str
    action: str
    primary_key: int | None
    """The number of its record; None if it is of none, as an event without an entity."""
    tenant: str
    associate_id: int | None
    webhook_name: str
    occurred_at: datetime | None
    """In UTC; naive (SuperOffice's local time) where the body gives no offset."""
    changes: tuple[str, ...]
    payload: dict[str, Any]
    problems: tuple[str, ...]

    @classmethod
    def parse(cls, delivery: Delivery) -> "Notification":
        """Read a delivery's body. Headers count for nothing: the signature does not cover them.

        Raises:
            Unreadable: the body is no JSON object.
        """
        body = Body(delivery.body)
        name, tenant, webhook_name = body.texts()
        if not name:
            body.problems.append("The body names no event.")
        entity, action = event_names.split(name)
        number, associate_id = body.numbers()
        if number is not None and not entity:
            # One rule for all: an event that has a number is of a record.
            number = None
            body.problems.append("PrimaryKey counts for nothing: it is not known of which entity.")
        return cls(
            # Not the header's: it is not signed, so one body could be made many events.
            event_id=body.guid("EventId") or _id_of(delivery),
            name=name,
            entity=entity,
            action=action,
            primary_key=number,
            tenant=tenant,
            associate_id=associate_id,
            webhook_name=webhook_name,
            occurred_at=body.timestamp("Timestamp"),
            changes=body.changes(),
            payload=body.payload,
            # Each once: a thousand NaNs are one problem.
            problems=tuple(dict.fromkeys(body.problems)),
        )


def _id_of(delivery: Delivery) -> UUID:
    """Return an id that is always the same for a body."""
    return UUID(delivery.sent_as) if delivery.sent_as else derived_id(delivery.body.hex())
