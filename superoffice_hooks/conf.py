"""The settings: one dict SUPEROFFICE_HOOKS, read once, when first asked for.

Values are taken as they are; what is wrong with them is for ``checks`` to say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .exceptions import UnknownEndpoint

SETTING = "SUPEROFFICE_HOOKS"
DEFAULT_ENDPOINT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksSettings:
    """SUPEROFFICE_HOOKS with its defaults. Field names are the dict's keys."""

    SECRETS: Sequence[str] | Mapping[str, Sequence[str]] | str = ()
    """Secrets of the default endpoint, newest first; or {endpoint: secrets}; or the dotted path of
    a callable ``(endpoint: str) -> Iterable[str] | None`` (None: there is no such endpoint)."""

    ALLOW_UNSIGNED: bool = False
    """Let in deliveries without a signature. A wrong signature is refused all the same."""

    MAX_BODY_BYTES: int = 1024 * 1024
    """The longest body that is read, in bytes. The widest documented one has 2 000."""

    LEASE_SECONDS: int = 300
    """How long a process may hold an event it dispatches before others may take it over."""

    def secrets_of(self, endpoint: str) -> tuple[str, ...]:
        """The secrets of an endpoint, newest first.

        Raises:
            UnknownEndpoint: the settings name no such endpoint.
        """
        secrets = self._lookup(endpoint)
        if secrets is None:
            raise UnknownEndpoint(endpoint)
        # A lone string is one secret, not one secret a character.
        return (secrets,) if isinstance(secrets, str) else tuple(secrets)

    def _lookup(self, endpoint: str) -> Iterable[str] | str | None:
        match self.SECRETS:
            case str(path):
                find: Callable[[str], Iterable[str] | str | None] = import_string(path)
                return find(endpoint)
            case Mapping() as by_endpoint:
                return by_endpoint.get(endpoint)
            case secrets:
                return secrets if endpoint == DEFAULT_ENDPOINT else None


KEYS = frozenset(field.name for field in fields(HooksSettings))


@cache
def current() -> HooksSettings:
    """The settings in force. What is no dict or no known key is left out; a check reports it."""
    given = getattr(settings, SETTING, {})
    known = given.items() if isinstance(given, Mapping) else ()
    return HooksSettings(**{key: value for key, value in known if key in KEYS})


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        current.cache_clear()


setting_changed.connect(_forget)
