"""The address of a tenant's API, and whether the tenant runs. SuperOffice may move a tenant."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from ..wire.values import one_line
from .connection import Connection, is_loopback, wrong_address
from .errors import NotReached, NotRead, NotRunning
from .sending import Answer, Sender

SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
"""How long an address is used, even if its ``ValidUntil`` is later."""
MAX_LENGTH = 2000
"""How long an address may be."""

_WORKING = {"running", "onlinemaintenance"}
_STATES = {
    "0": "Unknown",
    "1": "Provisioning",
    "2": "Running",
    "3": "Deleted",
    "4": "Suspended",
    "5": "OnlineMaintenance",
    "6": "OfflineMaintenance",
    "8": "ProvisioningFailed",
    "10": "Deleting",
    "11": "DeleteFailed",
    "12": "MigrationPending",
}
_ADVICE = {
    "offlinemaintenance": "SuperOffice maintains it now. That takes minutes: try again later.",
    "suspended": "SuperOffice has suspended it, so its API answers nobody. Ask SuperOffice.",
    "deleted": "It was deleted. Remove it from CONNECTIONS and WEBHOOKS.",
    "deleting": "It is being deleted. Remove it from CONNECTIONS and WEBHOOKS.",
    "provisioning": "It is being set up. Try again later.",
    "migrationpending": "It is about to move. Try again later.",
}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of the API."""

    root: str
    """Ends with /v1/."""
    seconds: float
    """How long it may be used."""
    state: str = ""
    """The tenant's state; empty on site, where there is none."""


def find(connection: Connection, sender: Sender, now: datetime) -> Address:
    """Return the address that the API of a tenant has now.

    Raises:
        NotReached: the login host gives no answer.
        NotRunning: the tenant does not run.
        NotRead: the answer cannot be read, or is not to be trusted.
    """
    if not connection.is_online:
        return Address(connection.api, LONGEST_SECONDS)
    url = f"{connection.host}/api/state/{quote(connection.tenant, safe='')}"
    answer = sender.send("GET", url)
    if not isinstance(answer, Answer):
        raise NotReached(f"{connection.host} cannot be reached: {answer.reason}.")
    if answer.status >= 500 or answer.status == 429:
        raise NotReached(f"{connection.host} answered {answer.status} to where the tenant is.")
    if answer.status != 200:
        raise NotRunning(
            f"{connection.host} knows no tenant {connection.tenant} (it answered {answer.status})."
            " Compare the tenant, as Cust12345, and the host: sod, qaonline or online.",
            "",
        )
    return _read(connection, answer, now)


def _read(connection: Connection, answer: Answer, now: datetime) -> Address:
    data = answer.json_object()
    if data is None:
        raise NotRead(f"{connection.host} said nothing readable about {connection.tenant}.")
    state = _state(data.get("State"))
    if state.lower() not in _WORKING and not (_is_new(state) and data.get("IsRunning") is True):
        advice = _ADVICE.get(
            state.lower(), "Try again later, and look at SuperOffice's status page."
        )
        raise NotRunning(
            f"The tenant {connection.tenant} is not running ({state or 'no state'}). {advice}",
            state,
        )
    api = data.get("Api")
    if not isinstance(api, str) or wrong_address(api) or not _is_trusted(api, connection.host):
        # Secrets are going to be sent to this address.
        raise NotRead(f"{connection.host} named no address of the API that can be trusted.")
    return Address(api.rstrip("/") + "/v1/", _seconds(data.get("ValidUntil"), now), state)


def _state(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = one_line(str(value).strip(), 50)
    return _STATES.get(text, text)


def _is_new(state: str) -> bool:
    """Return whether a state is one that is not documented."""
    return state.lower() not in {known.lower() for known in _STATES.values()}


def _is_trusted(url: str, host: str) -> bool:
    """Return whether an address has the domain of the login host."""
    if len(url) > MAX_LENGTH:
        return False
    theirs, ours = urlsplit(url), urlsplit(host)
    if is_loopback(ours.hostname or ""):
        return is_loopback(theirs.hostname or "")
    domain = ".".join((ours.hostname or "").split(".")[-2:])
    return theirs.scheme == "https" and (theirs.hostname or "").endswith(f".{domain}")


def _seconds(valid_until: Any, now: datetime) -> float:
    try:
        # .NET writes seven digits of a second; Python reads six.
        end = datetime.fromisoformat(str(valid_until)[:26].rstrip("Z"))
    except ValueError:
        return SHORTEST_SECONDS
    if end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    return min(max((end - now).total_seconds(), SHORTEST_SECONDS), LONGEST_SECONDS)
