"""The connection to one tenant: how to reach it, and how to sign in."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .redacting import NO_SECRET, Secret

ONLINE_KEYS = ("host", "client_secret", "system_user_token", "private_key")
ON_SITE_KEYS = ("api", "username", "password")


class WrongConnection(ValueError):
    """The values describe no connection. The message names the key, and shows no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach one tenant: Online through ``host``, on site through ``api``."""

    tenant: str
    host: str = ""
    """The login host's origin, as https://online.superoffice.com."""
    client_secret: Secret = NO_SECRET
    system_user_token: Secret = NO_SECRET
    private_key: Secret = NO_SECRET
    """As PEM or RSA-XML, or the path of such a file."""
    api: str = ""
    """The API's root on site, as https://crm.example.com/SuperOffice/api/v1/."""
    username: str = ""
    password: Secret = NO_SECRET

    @property
    def is_online(self) -> bool:
        """Return whether it is SuperOffice Online."""
        return bool(self.host)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return the texts that must not show."""
        values = (self.client_secret, self.system_user_token, self.private_key, self.password)
        return tuple(value for value in values if value)

    @classmethod
    def read(cls, tenant: str, values: Any) -> "Connection":
        """Return the connection that a dict describes.

        Raises:
            WrongConnection: it describes none.
        """
        if not isinstance(values, Mapping):
            raise WrongConnection("it is no dict")
        keys = ON_SITE_KEYS if "api" in values else ONLINE_KEYS
        if unknown := [key for key in values if key not in keys]:
            known = ", ".join(keys)
            raise WrongConnection(f"it has the unknown key {unknown[0]!r}; the keys are {known}")
        for key in keys:
            if not isinstance(values.get(key), str | Path) or not str(values[key]).strip():
                raise WrongConnection(f"it has no {key!r}, or one that is no text")
        texts = {key: str(values[key]).strip() for key in keys}
        address = texts.get("host") or texts["api"]
        if problem := wrong_address(address):
            raise WrongConnection(f"its address {problem}")
        if "host" in texts and urlsplit(address).path not in ("", "/"):
            raise WrongConnection("'host' is an origin, as https://online.superoffice.com")
        plain = ("host", "api", "username")
        read: dict[str, Any] = {
            key: text if key in plain else Secret(text) for key, text in texts.items()
        }
        if "host" in read:
            read["host"] = read["host"].rstrip("/")
        else:
            read["api"] = read["api"].rstrip("/") + "/"
        return cls(tenant=tenant, **read)


def wrong_address(url: str) -> str:
    """Return what is wrong with an address to which secrets are sent; empty if nothing is."""
    if " " in url or not url.isprintable():
        return "has a character that no address has"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return "cannot be read"
    if parts.scheme not in ("http", "https") or not host:
        return "does not begin with https:// and a host"
    if parts.username or parts.password:
        return "has a user name or a password in it"
    if parts.query or parts.fragment:
        return "has a query or a fragment"
    if parts.scheme == "http" and not is_loopback(host):
        return "is plain http, which would show secrets on the way; write https"
    return ""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, as for fakes in tests."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
