"""The webhook that WEBHOOKS wants SuperOffice to have for an endpoint."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..superoffice_api.connection import wrong_address
from ..wire import event_names
from ..wire.event_names import PING

STATE_ACTIONS = ("started", "stopped", "errors")
MAX_EVENTS_LENGTH = 4000
"""How long the event names may be together, joined with commas: SuperOffice's column."""
MAX_NAME = 400

KEYS = (
    "tenant",
    "url",
    "name",
    "events",
    "states_of",
    "error_emails",
    "headers",
    "properties",
    "ping",
)


class WrongWebhook(ValueError):
    """The values describe no webhook that SuperOffice could save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A webhook as it is wanted."""

    endpoint: str
    tenant: str
    url: str
    name: str
    events: tuple[str, ...] = ()
    """Names, without patterns and without the ping."""
    states_of: str = ""
    """An endpoint: the state events of its webhook are sent to this one."""
    error_emails: tuple[str, ...] | None = None
    """None leaves them as they are."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ping: bool = True

    def shown(self) -> dict[str, Any]:
        """Return what may be shown of it: the names of headers and properties, no values."""
        return {
            "name": self.name,
            "url": self.url,
            "events": list(self.all_events()) if not self.states_of else list(self.events),
            "states_of": self.states_of,
            "headers": sorted(self.headers),
            "properties": sorted(self.properties),
            "error_emails": None if self.error_emails is None else list(self.error_emails),
        }

    def all_events(self, watched: int | None = None) -> tuple[str, ...]:
        """Return all event names; ``watched`` is the id of the webhook of ``states_of``."""
        states = [f"webhook{watched}.{action}" for action in STATE_ACTIONS if self.states_of]
        return (*self.events, *states, *([PING] if self.ping else []))


def read(endpoint: str, values: Any) -> Wanted:
    """Return the webhook that a dict describes.

    Raises:
        WrongWebhook: it describes none.
    """
    if not isinstance(values, Mapping):
        raise WrongWebhook("it is no dict")
    if unknown := [key for key in values if key not in KEYS]:
        raise WrongWebhook(f"it has the unknown key {unknown[0]!r}; the keys are {', '.join(KEYS)}")
    for key in ("tenant", "url"):
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise WrongWebhook(f"it has no {key!r}")
    states_of = values.get("states_of", "")
    if not isinstance(states_of, str) or states_of == endpoint:
        raise WrongWebhook("'states_of' names no other endpoint")
    if not isinstance(values.get("ping", True), bool):
        raise WrongWebhook("its 'ping' is neither True nor False")
    wanted = Wanted(
        endpoint=endpoint,
        tenant=values["tenant"].strip(),
        url=_url(values["url"].strip()),
        name=_name(values.get("name", f"superoffice_hooks {endpoint}")),
        events=_events(values.get("events", ()), is_optional=bool(states_of)),
        states_of=states_of,
        error_emails=_emails(values),
        headers=_headers(values.get("headers", {})),
        properties=_properties(values.get("properties", {})),
        ping=values.get("ping", True),
    )
    # The id of the webhook of states_of is not known here. It has up to ten digits.
    if len(",".join(wanted.all_events(10**9))) > MAX_EVENTS_LENGTH:
        raise WrongWebhook(
            f"its event names are longer than {MAX_EVENTS_LENGTH} characters together"
        )
    return wanted


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise WrongWebhook(f"its 'name' is no text of 1 to {MAX_NAME} characters")
    return name


def _url(url: str) -> str:
    parts = urlsplit(url)
    problem = wrong_address(parts._replace(query="").geturl())
    if problem:
        raise WrongWebhook(f"its 'url' {problem}")
    return url


def _events(value: Any, *, is_optional: bool) -> tuple[str, ...]:
    if not _is_list(value) or not all(isinstance(name, str) and name.strip() for name in value):
        raise WrongWebhook("its 'events' are no list of names")
    if not value and not is_optional:
        raise WrongWebhook("it has no 'events'")
    names: dict[str, None] = {}
    for name in (name.strip().lower() for name in value):
        if "," in name:
            raise WrongWebhook(f"its event name {name!r} has a comma")
        names |= dict.fromkeys(_expanded(name) if "*" in name else [name])
    return tuple(names)


def _expanded(pattern: str) -> list[str]:
    fits = event_names.pattern(pattern).fullmatch
    if names := [name for name in event_names.EVENT_NAMES if fits(name)]:
        return names
    raise WrongWebhook(
        f"its pattern {pattern!r} stands for no documented event name. SuperOffice knows no"
        " patterns, so write each name"
    )


def _emails(values: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = values.get("error_emails")
    if value is None:
        return None
    if not _is_list(value) or not all(isinstance(mail, str) and "@" in mail for mail in value):
        raise WrongWebhook("its 'error_emails' are no list of addresses")
    return tuple(value)


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in value.items()
    ):
        raise WrongWebhook("its 'headers' are no dict of texts")
    if not all(name.strip() and f"{name}{text}".isprintable() for name, text in value.items()):
        raise WrongWebhook("its 'headers' have a name or a value that no header can have")
    return dict(value)


def _properties(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise WrongWebhook("its 'properties' are no dict")
    try:
        # In the types that SuperOffice returns: a tuple becomes a list.
        read: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise WrongWebhook("its 'properties' cannot be written as JSON") from None
    return read


def _is_list(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
