"""What arrives (a delivery) and what it says (a notification). Reads anything, believes little."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from . import vocabulary
from .body import Body, Unreadable, changed_names, derived_id
from .values import storable_text

__all__ = ["KEPT_HEADERS", "Delivery", "Notification", "Unreadable", "changed_names"]

KEPT_HEADERS = (
    "User-Agent",
    "Content-Type",
    "X-SuperOffice-Event",
    "X-SuperOffice-EventId",
    "X-SuperOffice-Retry",
    "X-Hook-Test",
)
"""An allow-list: webhooks may inject headers of their own, and those may carry secrets."""

_HEADER_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delivery:
    """One POST, as it arrived."""

    endpoint: str
    body: bytes
    headers: Mapping[str, str]
    """All request headers, by name without regard to case."""
    remote_addr: str | None
    received_at: datetime
    signed: bool = False
    """Whether one of the endpoint's secrets signed it; set by whoever verified that."""

    def __repr__(self) -> str:
        """Show what may be stored; the other headers have the signature, cookies and passwords."""
        return (
            f"Delivery({self.endpoint!r}, {len(self.body)} bytes, {self.kept_headers()},"
            f" remote_addr={self.remote_addr!r}, received_at={self.received_at!r},"
            f" signed={self.signed!r})"
        )

    def header(self, name: str) -> str:
        """A header's value, fit to store; empty if it was not sent."""
        return storable_text(self.headers.get(name, "")[:_HEADER_LENGTH])

    @property
    def retry(self) -> int | None:
        """How often SuperOffice says it tried before; None if it does not say."""
        text = self.header("X-SuperOffice-Retry").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None

    def kept_headers(self) -> dict[str, str]:
        """The headers worth keeping; never cookies, authorization or the signature."""
        return {name: self.header(name) for name in KEPT_HEADERS if name in self.headers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a delivery says, every value checked and fit to store.

    ``problems`` names what was odd, in whole sentences for the people who look at the event.
    """

    event_id: UUID
    name: str
    entity: str
    action: str
    primary_key: int | None
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
        """Read a delivery's body. Headers count for nothing, since nobody signed them.

        Raises:
            Unreadable: the body is no JSON object.
        """
        body = Body(delivery.body)
        name = body.name("Event", 100)
        entity, action = vocabulary.split(name)
        return cls(
            # Not the header's: it is not signed, so anybody could make many events of one.
            event_id=body.guid("EventId") or derived_id(delivery.body.hex()),
            name=name,
            entity=entity,
            action=action,
            primary_key=body.integer("PrimaryKey"),
            tenant=body.text("ContextIdentifier", 100),
            associate_id=body.integer("ChangedByAssociateId"),
            webhook_name=body.text("WebhookName", 255),
            occurred_at=body.timestamp("Timestamp"),
            changes=body.changes(),
            payload=body.payload,
            # Each once: a thousand NaNs are one problem.
            problems=tuple(dict.fromkeys(body.problems)),
        )
