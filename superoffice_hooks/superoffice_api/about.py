"""What a tenant says of itself: version, who we are in it, time zone, and counters by version."""

import re
from dataclasses import dataclass
from typing import Any

from ..wire.values import one_line
from . import archives
from .calling import Client
from .errors import ApiError, NotRead
from .webhooks import Counters, Webhook, counters

_USAGE = ("webhook_usage_id", "total_calls", "total_errors", "consecutive_errors", "last_error")


@dataclass(frozen=True, slots=True)
class Principal:
    """As whom we are signed in."""

    name: str
    associate_id: int | None


def version_of(client: Client) -> str:
    """Return SuperOffice's version, as 11.10.721.0; empty if it does not say."""
    said = client.version()
    value = said.get("NetServerVersion") if isinstance(said, dict) else None
    return one_line(value, 50) if isinstance(value, str) else ""


def is_at_least(version: str, *wanted: int) -> bool:
    """Return whether a version is not older than the wanted one; False if it cannot be read."""
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= wanted


def principal_of(client: Client) -> Principal:
    """Return as whom we are signed in. The cheapest call that proves a sign-in."""
    said = client.call("GET", "User/currentPrincipal")
    if not isinstance(said, dict):
        raise NotRead("SuperOffice's API does not say as whom we are signed in.")
    name = said.get("UserName") or said.get("Associate") or ""
    number: Any = said.get("AssociateId")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 19:
        number = int(number)
    return Principal(one_line(str(name), 100), number if type(number) is int else None)


def base_time_zone(client: Client) -> str:
    """Return the code of the tenant's base time zone, in which its Service columns are."""
    said = client.call("GET", "TimeZone/base")
    if not isinstance(said, dict):
        raise NotRead("SuperOffice's API does not say which time zone is the base one.")
    parts = (said.get("TZLocationCode"), said.get("Name"))
    return one_line(" ".join(str(part) for part in parts if part), 100)


def counters_of(client: Client, webhook: Webhook, version: str) -> Counters:
    """Return the counters of a webhook, from where this version has them.

    Empty if they cannot be read: that says nothing about the webhook.
    """
    if webhook.counters.consecutive_errors is not None:
        return webhook.counters
    if is_at_least(version, 11, 13):
        columns = [
            "webhookId",
            *(
                f"webhookUsage/{name}"
                for name in ("totalCalls", "totalErrors", "consecutiveErrors", "lastError")
            ),
        ]
        where, provider, key = f"webhookId eq {webhook.id}", "Webhook", "webhookId"
    else:
        columns = [f"webhook_usage.{name}" for name in _USAGE]
        provider, key = "dynamic", columns[0]
        where = f"{key} eq {webhook.id}"
    try:
        rows = archives.rows(client, provider, columns, where=where, limit=10)
    except ApiError:
        return Counters()
    for row in rows:
        if str(row.get(key)) == str(webhook.id):
            return counters(row, client)
    return Counters()
