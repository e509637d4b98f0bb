"""What SuperOffice puts on the wire: the body and the headers of a delivery, made up for tests."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from . import event_names
from .signature import HEADER, sign

USER_AGENT = "NetServer-Webhook/8.8.6684.1719"

# fmt: off
TICKET_FIELDS = (
    "created_at", "title", "last_changed", "read_by_owner", "read_by_customer", "closed_at",
    "time_to_close", "real_time_to_close", "time_to_reply", "real_time_to_reply", "author",
    "created_by", "alert_level", "alert_timeout", "connect_id", "filter_id", "read_status",
    "has_attachment", "num_replies", "num_messages", "display_filter", "alert_stop", "replied_at",
    "slevel", "category", "priority", "cust_id", "status", "ticket_status", "deadline",
    "first_read_by_user", "first_read_by_owner", "activate", "owned_by", "agent_id", "dbi_key",
    "dbi_last_syncronized", "extraField", "filter_address", "time_spent_internally",
    "time_spent_externally", "time_spent_queue", "real_time_spent_internally",
    "real_time_spent_externally", "real_time_spent_queue", "tags", "ticket_type",
)
# fmt: on
"""The 47 names in ``Changes`` of the documented ticket.changed, spelt and ordered as there."""

_NEVER_LISTED = ("deleted", "edited", "unconsented")
_NOT_FOR_HEADERS = re.compile(r"[^\x20-\x7e]")


def notification(name: str = "ticket.changed", **values: Any) -> dict[str, Any]:
    """Return a body as SuperOffice would send it for this event name, with a new EventId and time.

    ``values`` replace or add keys, spelt as SuperOffice spells them:
    ``notification("sale.sold", PrimaryKey=18, FieldValues={"currency_id": 36})``.
    """
    entity, action = event_names.split(name)
    body: dict[str, Any] = {
        "EventId": str(uuid4()),
        "Timestamp": _timestamp(),
        "Changes": _changes(name, entity, action),
        "Event": name,
        "PrimaryKey": 527331,
        "Entity": entity,
        "ContextIdentifier": "Default",
        "ChangedByAssociateId": 37201,
        "WebhookName": "Name you provided",
    }
    if action == "deleted":
        body["Values"] = {}
    if name == event_names.TEST:
        body["PrimaryKey"] = 0
    if entity == "webhook":
        del body["Entity"]
        body |= {
            "PrimaryKey": 66,
            "ChangedByAssociateId": 0,
            "FieldValues": {"events": 1, "state": 2},
        }
    return body | values


def headers(
    event: Mapping[str, Any], body: bytes, secret: str = "", retry: int = 0, *, titled: bool = False
) -> dict[str, str]:
    """Return the headers of a delivery; signed if there is a secret.

    ``titled`` spells them ``X-Superoffice-Eventid``, as half of the documentation does.
    """
    name = announced(event)
    is_test = name == event_names.TEST
    sent = {
        "X-SuperOffice-Event": name,
        # The documented test event has one id in its header and another in its body.
        "X-SuperOffice-EventId": str(uuid4()) if is_test else str(event.get("EventId") or ""),
        "X-SuperOffice-Retry": str(retry or ""),
        "X-Hook-Test": "true" if is_test else "",
        HEADER: sign(body, secret) if secret else "",
    }
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": USER_AGENT,
        **{
            name.title() if titled else name: _NOT_FOR_HEADERS.sub("?", value)
            for name, value in sent.items()
            if value
        },
    }


def announced(event: Mapping[str, Any]) -> str:
    """Return the event's name in the header; there, state events have the id of their webhook."""
    name = str(event.get("Event") or "")
    entity, action = event_names.split(name)
    return f"webhook{event.get('PrimaryKey')}.{action}" if entity == "webhook" else name


def _timestamp() -> str:
    """Return the time, to a ten-millionth of a second as .NET writes it."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds // 100:07}Z"


def _changes(name: str, entity: str, action: str) -> list[str]:
    """Return the names SuperOffice lists at least; empty where it lists none, or none are known."""
    if name == "ticket.changed":
        return list(TICKET_FIELDS)
    if action in _NEVER_LISTED or entity in ("ticket", "quote", "chatsession"):
        return []
    if entity.startswith("y_"):
        return ["id", "last_changed"]
    if entity.startswith("list."):
        table = entity.partition(".")[2]
        key = "UDList" if table.isdigit() else table.capitalize()
        return [f"{key}_id", "deleted", "rank", "updated", "updated_associate_id", "name"]
    if name in event_names.EVENT_NAMES:
        key = "appointment" if entity == "activity" else entity
        return [f"{key}_id", "updated", "updated_associate_id"]
    return []
