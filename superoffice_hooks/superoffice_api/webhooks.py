"""Webhooks as SuperOffice's API has them: read with care, saved whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..wire.values import one_line
from ..wire.web_addresses import without_password
from .calling import Client
from .errors import NotRead
from .redacting import Secret

STATES = {"0": "Unknown", "1": "Active", "2": "Stopped", "3": "TooManyErrors"}
ACTIVE, STOPPED, TOO_MANY_ERRORS = "Active", "Stopped", "TooManyErrors"
MAX_URL, MAX_TEXT = 4000, 400
"""How long an address and any other text may be: SuperOffice's columns."""

_NAMES = {name.lower(): name for name in STATES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What SuperOffice counted; None for what it did not say."""

    total_calls: int | None = None
    total_errors: int | None = None
    consecutive_errors: int | None = None
    last_error: str = ""
    """Redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook as it was read. Never has a secret."""

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
    """Which of our secrets it has, 0 for the newest; -1 for another one; None if it is masked."""
    counters: Counters = Counters()


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test event that SuperOffice sent on request."""

    succeeded: bool
    message: str


def as_read(value: Any) -> str:
    """Return a text of a webhook as it is kept and compared; empty if it is none."""
    return one_line(value.strip(), MAX_TEXT) if isinstance(value, str) else ""


def read(entity: Any, client: Client, secrets: Iterable[Secret] = ()) -> Webhook:
    """Return the webhook that an entity of the API describes.

    Raises:
        NotRead: it has no id, state, address or event names that can be understood.
    """
    said = entity if isinstance(entity, Mapping) else {}
    number, state, events = _int(said.get("WebhookId")), _state(said), _events(said)
    if number is None or not state or events is None or not isinstance(said.get("TargetUrl"), str):
        raise NotRead(
            f"SuperOffice's API for {client.connection.tenant} described a webhook without an id,"
            " a state, an address or event names that can be read."
        )
    return Webhook(
        id=number,
        name=as_read(said.get("Name")),
        events=events,
        url=one_line(without_password(said["TargetUrl"].strip()), MAX_URL),
        state=state,
        kind=as_read(said.get("Type")) or "webhook",
        headers=_mapping(said.get("Headers")),
        properties=_mapping(said.get("Properties")),
        error_emails=_emails(said),
        secret_number=_number_of(said.get("Secret"), secrets),
        counters=counters(said, client),
    )


def counters(said: Mapping[str, Any], client: Client) -> Counters:
    """Return the counters of an entity, or of a row with the same names."""
    names = {
        str(key).rpartition("/")[2].rpartition(".")[2].replace("_", "").lower(): value
        for key, value in said.items()
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
            ApiError: the list, or one of it, could not be read.
        """
        return [self._read(entity) for entity in self._list()]

    def get(self, number: int) -> Webhook:
        """Return one of them."""
        return self._read(self._client.call("GET", f"Webhook/{number}"))

    def test(self, values: Mapping[str, Any]) -> Tested:
        """Let SuperOffice send a test event to the address in these values; nothing is saved."""
        said = self._client.call("POST", "Webhook/Test", body=lambda: _revealed(values))
        succeeded = said.get("Success") if isinstance(said, dict) else None
        if not isinstance(succeeded, bool):
            raise NotRead("SuperOffice's API did not say whether the test succeeded.")
        return Tested(succeeded, self._client.redacted(said.get("Message") or ""))

    def create(self, values: Mapping[str, Any]) -> Webhook:
        """Save a new webhook. The call is made once: list the webhooks if it gives no answer."""
        template = self._client.call("GET", "Webhook/default")
        if not isinstance(template, dict):
            raise NotRead("SuperOffice's API shows no new webhook.")
        return self._read(
            self._client.call(
                "POST", "Webhook", body=lambda: _merged(template, values), repeat=False
            )
        )

    def change(self, number: int, values: Mapping[str, Any]) -> Webhook:
        """Save a webhook with these values, and all else as it is."""
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
        """Raise an event of this name. Every webhook that lists it gets it."""
        path = f"Webhook/{quote(name, safe='.')}/{primary_key}"
        self._client.call("POST", path, body=dict)

    def last_error(self, number: int) -> str:
        """Return the last error, redacted; empty if there is none."""
        said = self._client.call("GET", f"Webhook/{number}/LastError")
        return self._client.redacted(said) if isinstance(said, str) else ""

    def _list(self) -> list[Any]:
        said = self._client.call("GET", "Webhook", params={"statusFilter": "Unknown"})
        if not isinstance(said, list):
            raise NotRead(
                f"SuperOffice's API for {self._client.connection.tenant} listed no webhooks that"
                " can be read."
            )
        return said

    def _read(self, entity: Any) -> Webhook:
        return read(entity, self._client, self._secrets)


class _Entity:
    """An entity to be saved again. It does not show: it may have a secret."""

    __slots__ = ("values",)

    def __init__(self, values: Any) -> None:
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}


def _merged(entity: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entity with these values. Its own secret is never written back."""
    kept = {key: value for key, value in entity.items() if key not in ("_Links", "Secret")}
    merged = {**kept, **_revealed(values)}
    # Before 12.0 there was one text for all addresses.
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


def _state(said: Mapping[str, Any]) -> str:
    value = said.get("State")
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = one_line(str(value).strip(), 50)
    # Our own names of what SuperOffice has no state for begin with a small letter.
    return STATES.get(text) or _NAMES.get(text.lower()) or text[:1].upper() + text[1:]


def _events(said: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = said.get("Events")
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return None
    return tuple(map(as_read, value))


def _emails(said: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "ErrorEmails" in said:
        value = said["ErrorEmails"]
        return tuple(map(as_read, value)) if isinstance(value, list) else ()
    if "ErrorsEmail" in said:
        return tuple(filter(None, as_read(said["ErrorsEmail"]).replace(";", ",").split(",")))
    return None


def _mapping(value: Any) -> dict[str, Any]:
    return {as_read(key): v for key, v in value.items()} if isinstance(value, dict) else {}


def _int(value: Any) -> int | None:
    """Return a whole number, also if it is sent as text."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value) if len(value) < 19 else None
    return value if type(value) is int and 0 <= value < 2**63 else None
