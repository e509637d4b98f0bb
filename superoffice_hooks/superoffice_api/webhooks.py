"""Read webhooks through SuperOffice's API, test them and save them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..wire.values import one_line
from ..wire.web_addresses import without_password
from .client import Client
from .errors import NotRead
from .redacting import Secret

STATES = {"0": "Unknown", "1": "Active", "2": "Stopped", "3": "TooManyErrors"}
ACTIVE, STOPPED, TOO_MANY_ERRORS = "Active", "Stopped", "TooManyErrors"
MAX_URL, MAX_TEXT = 4000, 400
"""How long an address and any other text may be: SuperOffice's columns."""

_NAMES = {name.lower(): name for name in STATES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What SuperOffice counted; None for what the answer does not have."""

    total_calls: int | None = None
    total_errors: int | None = None
    consecutive_errors: int | None = None
    last_error: str = ""
    """Redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook as it was read. It has no secret."""

    id: int
    name: str
    events: tuple[str, ...]
    url: str
    state: str
    kind: str = "webhook"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    error_emails: tuple[str, ...] | None = None
    """None if this version does not show them."""
    secret_number: int | None = None
    """The place of its secret among ours, 0 for the newest; -1 if not there; None if masked."""
    counters: Counters = Counters()


@dataclass(frozen=True, slots=True)
class Tested:
    """The result of a test event that SuperOffice sent at our request."""

    succeeded: bool
    message: str


def as_read(value: Any) -> str:
    """Return a text of a webhook, as it is stored and compared; empty if it is no text."""
    return one_line(value.strip(), MAX_TEXT) if isinstance(value, str) else ""


def read(entity: Any, client: Client, secrets: Iterable[Secret] = ()) -> Webhook:
    """Return the webhook that an entity of the API describes.

    Raises:
        NotRead: it has no id, state, address or event names that can be understood.
    """
    data = entity if isinstance(entity, Mapping) else {}
    number, state, events = _int(data.get("WebhookId")), _state(data), _events(data)
    if number is None or not state or events is None or not isinstance(data.get("TargetUrl"), str):
        raise NotRead(
            f"SuperOffice's API for {client.connection.tenant} described a webhook without an id,"
            " a state, an address or event names that can be read."
        )
    return Webhook(
        id=number,
        name=as_read(data.get("Name")),
        events=events,
        url=one_line(without_password(data["TargetUrl"].strip()), MAX_URL),
        state=state,
        kind=as_read(data.get("Type")) or "webhook",
        headers=_mapping(data.get("Headers")),
        properties=_mapping(data.get("Properties")),
        error_emails=_emails(data),
        secret_number=_number_of(data.get("Secret"), secrets),
        counters=counters(data, client),
    )


def counters(data: Mapping[str, Any], client: Client) -> Counters:
    """Return the counters in an entity, or in a row of an archive."""
    names = {
        str(key).rpartition("/")[2].rpartition(".")[2].replace("_", "").lower(): value
        for key, value in data.items()
    }
    return Counters(
        total_calls=_int(names.get("totalcalls")),
        total_errors=_int(names.get("totalerrors")),
        consecutive_errors=_int(names.get("consecutiveerrors")),
        last_error=client.redacted(names.get("lasterror") or ""),
    )


class Webhooks:
    """The webhooks that our application may see in one tenant."""

    def __init__(self, client: Client, secrets: Iterable[Secret] = ()) -> None:
        self._client = client
        self._secrets = tuple(secrets)

    def all(self) -> list[Webhook]:
        """Return all of them, in any state.

        Raises:
            ApiError: the list, or a webhook in it, could not be read.
        """
        return [self._read(entity) for entity in self._list()]

    def get(self, number: int) -> Webhook:
        """Return the webhook with this id."""
        return self._read(self._client.call("GET", f"Webhook/{number}"))

    def test(self, values: Mapping[str, Any]) -> Tested:
        """Let SuperOffice send a test event to the address in these values; nothing is saved."""
        data = self._client.call("POST", "Webhook/Test", body=lambda: _revealed(values))
        succeeded = data.get("Success") if isinstance(data, dict) else None
        if not isinstance(succeeded, bool):
            raise NotRead("SuperOffice's API did not say whether the test succeeded.")
        return Tested(succeeded, self._client.redacted(data.get("Message") or ""))

    def create(self, values: Mapping[str, Any]) -> Webhook:
        """Save a new webhook. The call is not repeated: list the webhooks if it has no answer."""
        template = self._client.call("GET", "Webhook/default")
        if not isinstance(template, dict):
            raise NotRead("SuperOffice's API shows no new webhook.")
        return self._read(
            self._client.call(
                "POST", "Webhook", body=lambda: _merged(template, values), repeat=False
            )
        )

    def change(self, number: int, values: Mapping[str, Any]) -> Webhook:
        """Save a webhook with these values; its other values stay."""
        path = f"Webhook/{number}"
        there = _Entity(self._client.call("GET", path))
        if self._read(there.values).id != number:
            raise NotRead("SuperOffice's API showed another webhook than was wanted.")
        return self._read(
            self._client.call("PUT", path, body=lambda: _merged(there.values, values))
        )

    def delete(self, number: int) -> None:
        """Delete a webhook."""
        self._client.call("DELETE", f"Webhook/{number}")

    def signal(self, name: str, primary_key: int) -> None:
        """Raise an event of this name. Each webhook that lists the name gets it."""
        path = f"Webhook/{quote(name, safe='.')}/{primary_key}"
        self._client.call("POST", path, body=dict)

    def last_error(self, number: int) -> str:
        """Return the last error, redacted; empty if there is none."""
        data = self._client.call("GET", f"Webhook/{number}/LastError")
        return self._client.redacted(data) if isinstance(data, str) else ""

    def _list(self) -> list[Any]:
        data = self._client.call("GET", "Webhook", params={"statusFilter": "Unknown"})
        if not isinstance(data, list):
            raise NotRead(
                f"SuperOffice's API for {self._client.connection.tenant} listed no webhooks that"
                " can be read."
            )
        return data

    def _read(self, entity: Any) -> Webhook:
        return read(entity, self._client, self._secrets)


class _Entity:
    """An entity that is to be saved again. It has no repr: it may have a secret."""

    __slots__ = ("values",)

    def __init__(self, values: Any) -> None:
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}


def _merged(entity: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entity with these values. The secret that was read is never written back."""
    kept = {key: value for key, value in entity.items() if key not in ("_Links", "Secret")}
    merged = {**kept, **_revealed(values)}
    # Before 12.0, all e-mail addresses are in one text.
    emails = merged.pop("ErrorEmails", None)
    if "ErrorEmails" in entity:
        merged["ErrorEmails"] = emails
    elif emails is not None and "ErrorsEmail" in entity:
        merged["ErrorsEmail"] = ",".join(emails)
    return merged


def _revealed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: v.reveal() if isinstance(v, Secret) else v for key, v in values.items()}


def _number_of(value: Any, secrets: Iterable[Secret]) -> int | None:
    if not isinstance(value, Secret) or not value.reveal().strip("*\u2022. "):
        return None
    known = list(secrets)
    return known.index(value) if value in known else -1


def _state(data: Mapping[str, Any]) -> str:
    value = data.get("State")
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = one_line(str(value).strip(), 50)
    # States of our own begin with a small letter, so those of SuperOffice begin with a capital.
    return STATES.get(text) or _NAMES.get(text.lower()) or text[:1].upper() + text[1:]


def _events(data: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = data.get("Events")
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return None
    return tuple(map(as_read, value))


def _emails(data: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "ErrorEmails" in data:
        value = data["ErrorEmails"]
        return tuple(map(as_read, value)) if isinstance(value, list) else ()
    if "ErrorsEmail" in data:
        return tuple(filter(None, as_read(data["ErrorsEmail"]).replace(";", ",").split(",")))
    return None


def _mapping(value: Any) -> dict[str, Any]:
    return {as_read(key): v for key, v in value.items()} if isinstance(value, dict) else {}


def _int(value: Any) -> int | None:
    """Return a whole number, also if it is sent as text."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value) if len(value) < 19 else None
    return value if type(value) is int and 0 <= value < 2**63 else None
