"""What the settings say: which webhooks are wanted, and how each tenant is reached."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from .. import conf
from ..exceptions import UnknownEndpoint
from ..superoffice_api.connection import Connection, WrongConnection
from ..superoffice_api.errors import ApiError
from ..superoffice_api.redacting import Secret
from .wanted import Wanted, WrongWebhook, read


class NotPossible(ApiError):
    """It cannot be done as things are now. SuperOffice was left as it is."""


class NotConfigured(NotPossible):
    """The settings lack something."""


def endpoints() -> list[str]:
    """Return the endpoints of WEBHOOKS; those for state events come last."""
    webhooks: Any = conf.current().WEBHOOKS
    if not isinstance(webhooks, Mapping):
        return []
    return sorted(webhooks, key=lambda endpoint: bool(_states_of(webhooks[endpoint])))


def _states_of(values: Any) -> Any:
    return values.get("states_of") if isinstance(values, Mapping) else None


def wanted_of(endpoint: str) -> Wanted:
    """Return the webhook that is wanted for an endpoint.

    Raises:
        NotConfigured: WEBHOOKS has none, or one with wrong values.
    """
    webhooks: Any = conf.current().WEBHOOKS
    if not isinstance(webhooks, Mapping) or endpoint not in webhooks:
        others = f" It has: {', '.join(known)}." if (known := endpoints()) else ""
        raise NotConfigured(f"{conf.SETTING}['WEBHOOKS'] has no {endpoint!r}.{others}")
    try:
        return read(endpoint, webhooks[endpoint])
    except WrongWebhook as wrong:
        problem = str(wrong)
    raise NotConfigured(f"{conf.SETTING}['WEBHOOKS'][{endpoint!r}] cannot be used: {problem}.")


@sensitive_variables()
def secrets_of(endpoint: str) -> tuple[Secret, ...]:
    """Return the secrets of an endpoint, the newest first.

    Raises:
        NotConfigured: it has none.
    """
    try:
        secrets = tuple(Secret(secret) for secret in conf.current().secrets_of(endpoint) if secret)
    except UnknownEndpoint:
        secrets = ()
    if not secrets:
        raise NotConfigured(
            f"{conf.SETTING}['SECRETS'] has no secret for the endpoint {endpoint!r}."
        )
    return secrets


def tenants() -> list[str]:
    """Return the tenants that the settings name."""
    connections: Any = conf.current().CONNECTIONS
    named = list(connections) if isinstance(connections, Mapping) else []
    return list(dict.fromkeys([*named, *(wanted.tenant for wanted in all_wanted())]))


def all_wanted() -> list[Wanted]:
    """Return the webhooks that are wanted, without those whose values are wrong."""
    wanted = []
    for endpoint in endpoints():
        try:
            wanted.append(wanted_of(endpoint))
        except NotConfigured:
            continue
    return wanted


def connection_of(tenant: str) -> Connection:
    """Return the connection to a tenant.

    Raises:
        NotConfigured: CONNECTIONS has none that can be used.
    """
    connection, problem = _read(tenant)
    if connection is None:
        raise NotConfigured(
            f"{conf.SETTING}['CONNECTIONS'] has no connection to {tenant!r} that can be used:"
            f" {problem}."
        )
    return connection


@sensitive_variables()
def _read(tenant: str) -> tuple[Connection | None, str]:
    """Return the connection, or the reason why there is none.

    It raises nothing: the frames of an error would show the secrets.
    """
    connections: Any = conf.current().CONNECTIONS
    try:
        if isinstance(connections, Mapping):
            values = connections.get(tenant)
        else:
            find: Callable[[str], Any] = (
                import_string(connections) if isinstance(connections, str) else connections
            )
            values = find(tenant)
        if values is None:
            return None, "it does not name this tenant"
        return Connection.read(tenant, values), ""
    except WrongConnection as wrong:
        return None, str(wrong)
    except Exception as error:
        return None, f"asking for it failed ({type(error).__name__})"
