"""Check that a tenant can be reached, signed in to and read; say so to its administrator."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..superoffice_api import about, archives
from ..superoffice_api.client import Client
from ..superoffice_api.errors import ApiError, Refused
from ..superoffice_api.webhooks import Webhooks
from .clients import client_of

_LOGS = (
    ("traveltransactionlog", "traveltransactionlog_id", "changes of contacts, sales and the like"),
    ("ticket_log_action", "id", "changes of requests"),
    ("ticket_log_change", "id", "fields of requests that changed"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    sentence: str
    is_well: bool = True


def check(tenant: str) -> Iterator[Finding]:
    """Yield a finding for each thing that works for a tenant, or does not."""
    try:
        client = client_of(tenant)
        state = client.address().state
        yield Finding(f"The API is at {client.address().root}{_state(state)}.")
        principal = about.principal_of(client)
        yield Finding(f"SuperOffice {about.version_of(client) or 'of an unknown version'}.")
    except ApiError as error:
        yield Finding(str(error), is_well=False)
        return
    yield Finding(
        f"Signed in as {principal.name or 'somebody without a name'}, associate"
        f" {principal.associate_id}. If you write to SuperOffice with this sign-in, add"
        f" {{{tenant!r}: [{principal.associate_id}]}} to OWN_ASSOCIATES."
    )
    yield _time_zone(client)
    yield _webhooks(client)
    for table, key, what in _LOGS:
        yield _log(client, table, key, what)


def _state(state: str) -> str:
    return f", and the tenant is {state}" if state else ""


def _time_zone(client: Client) -> Finding:
    try:
        return Finding(f"The base time zone is {about.base_time_zone(client)}.")
    except ApiError as error:
        return Finding(f"The base time zone cannot be read. {error}", is_well=False)


def _webhooks(client: Client) -> Finding:
    try:
        visible = Webhooks(client).all()
    except Refused as error:
        return Finding(
            "Webhooks cannot be read. The application needs the Webhook agent, and a tenant"
            f" administrator has to approve it again after that was added. {error}",
            is_well=False,
        )
    except ApiError as error:
        return Finding(f"Webhooks cannot be read. {error}", is_well=False)
    return Finding(f"Webhooks can be read; {len(visible)} of our application are there.")


def _log(client: Client, table: str, key: str, what: str) -> Finding:
    try:
        archives.rows(client, "dynamic", [f"{table}.{key}"], where=f"{table}.{key} gt 0", limit=1)
    except ApiError as error:
        # No webhook needs the logs, so this is no failure.
        return Finding(f"The log of {what} ({table}) cannot be read. {error}")
    return Finding(f"The log of {what} ({table}) can be read.")
