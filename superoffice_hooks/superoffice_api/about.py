"""Facts about a tenant: its version, our user, its time zone, and the counters of its webhooks."""

import re
from dataclasses import dataclass
from typing import Any

from ..wire.values import one_line
from . import archives
from .client import Client
from .errors import ApiError, NotRead
from .webhooks import Counters, Webhook, counters

_USAGE = ("webhook_usage_id", "total_calls", "total_errors", "consecutive_errors", "last_error")


@dataclass(frozen=True, slots=True)
class Principal:
    """The user that we are signed in as."""

    name: str
    associate_id: int | None


def version_of(client: Client) -> str:
    """Return SuperOffice's version, as 11.10.721.0; empty if the answer has none."""
    data = client.version()
    value = data.get("NetServerVersion") if isinstance(data, dict) else None
    return one_line(value, 50) if isinstance(value, str) else ""


def is_at_least(version: str, *wanted: int) -> bool:
    """Return whether a version is not older than the wanted one; False if it cannot be read."""
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= wanted


def principal_of(client: Client) -> Principal:
    """Return the user that we are signed in as. No cheaper call proves a sign-in."""
    data = client.call("GET", "User/currentPrincipal")
    if not isinstance(data, dict):
        raise NotRead("SuperOffice's API does not say as whom we are signed in.")
    name = data.get("UserName") or data.get("Associate") or ""
    number: Any = data.get("AssociateId")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 19:
        number = int(number)
    return Principal(one_line(str(name), 100), number if type(number) is int else None)


def base_time_zone(client: Client) -> str:
    """Return the code of the tenant's base time zone, which the columns of Service have."""
    data = client.call("GET", "TimeZone/base")
    if not isinstance(data, dict):
        raise NotRead("SuperOffice's API does not say which time zone is the base one.")
    parts = (data.get("TZLocationCode"), data.get("Name"))
    return one_line(" ".join(str(part) for part in parts if part), 100)


def counters_of(client: Client, webhook: Webhook, version: str) -> Counters:
    """Return the counters of a webhook; where they are depends on the version.

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
