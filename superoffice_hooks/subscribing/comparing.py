"""Compare the wanted webhook with the actual one. Values of headers and secrets are not shown."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..superoffice_api.redacting import Secret
from ..superoffice_api.webhooks import ACTIVE, Webhook, as_read
from ..wire.web_addresses import is_same_url
from .wanted import Wanted


class Difference(NamedTuple):
    """One thing that differs."""

    key: str
    wanted: str
    actual: str


def differences(wanted: Wanted, actual: Webhook, watched: int | None) -> tuple[Difference, ...]:
    """Return what differs; ``watched`` is the id of the webhook whose state events are wanted."""
    return tuple(_differences(wanted, actual, watched))


def _differences(wanted: Wanted, actual: Webhook, watched: int | None) -> Iterator[Difference]:
    if actual.state != ACTIVE:
        yield Difference("state", ACTIVE, actual.state)
    if not is_same_url(wanted.url, actual.url):
        yield Difference("url", wanted.url, actual.url)
    if actual.name != as_read(wanted.name):
        yield Difference("name", wanted.name, actual.name)
    yield from _events(wanted.all_events(watched), actual.events)
    yield from _names("headers", wanted.headers, actual.headers)
    yield from _names("properties", wanted.properties, actual.properties)
    ours, theirs = wanted.error_emails, actual.error_emails
    if ours is not None and theirs is not None and set(map(as_read, ours)) != set(theirs):
        yield Difference("error_emails", ", ".join(ours), ", ".join(theirs))
    if actual.secret_number:
        other = "an older one" if actual.secret_number > 0 else "one that is not in SECRETS"
        yield Difference("secret", "the newest one", other)


def _events(wanted: tuple[str, ...], actual: tuple[str, ...]) -> Iterator[Difference]:
    ours, theirs = ({as_read(name).lower() for name in names} for names in (wanted, actual))
    if missing := sorted(ours - theirs):
        yield Difference("events", ", ".join(missing), "not there")
    if extra := sorted(theirs - ours):
        yield Difference("events", "not there", ", ".join(extra))


def _names(key: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[Difference]:
    wanted = {as_read(name): value for name, value in wanted.items()}
    for name in sorted({*wanted, *actual}):
        if name not in actual:
            yield Difference(key, name, "not there")
        elif name not in wanted:
            yield Difference(key, "not there", name)
        elif wanted[name] != actual[name]:
            yield Difference(key, name, f"{name} with another value")


def shown(actual: Webhook) -> dict[str, Any]:
    """Return what may be shown of a webhook: no value of a header, a property or a secret."""
    known = {None: "hidden", 0: "newest", -1: "unknown"}
    return {
        "name": actual.name,
        "url": actual.url,
        "events": list(actual.events),
        "headers": sorted(actual.headers),
        "properties": sorted(actual.properties),
        "error_emails": None if actual.error_emails is None else list(actual.error_emails),
        "secret": known.get(actual.secret_number, "older"),
    }


def entity(
    wanted: Wanted, secrets: tuple[Secret, ...], *, number: int = 0, watched: int | None = None
) -> dict[str, Any]:
    """Return the values for SuperOffice to save; ``number`` is that of the secret to sign with."""
    values: dict[str, Any] = {
        "Name": wanted.name,
        "Events": list(wanted.all_events(watched)),
        "TargetUrl": wanted.url,
        "Secret": secrets[number],
        "State": ACTIVE,
        "Type": "webhook",
        "Headers": dict(wanted.headers) or None,
        "Properties": dict(wanted.properties) or None,
    }
    if wanted.error_emails is not None:
        values["ErrorEmails"] = list(wanted.error_emails)
    return values
