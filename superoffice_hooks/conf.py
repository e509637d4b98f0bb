"""The settings: one dict SUPEROFFICE_HOOKS, read once, when first asked for.

Values are taken as they are; what is wrong with them is for ``checks`` to say.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from . import vocabulary
from .exceptions import UnknownEndpoint
from .logs import get_logger
from .vocabulary import Names

logger = get_logger(__name__)

SETTING = "SUPEROFFICE_HOOKS"
DEFAULT_ENDPOINT = "default"


class HooksSettings(NamedTuple):
    """SUPEROFFICE_HOOKS with its defaults. Field names are the dict's keys."""

    SECRETS: Sequence[str] | Mapping[str, Sequence[str]] | str = ()
    """Secrets of the default endpoint, newest first; or {endpoint: secrets}; or the dotted path of
    a callable ``(endpoint: str) -> Iterable[str] | None`` (None: there is no such endpoint)."""

    ALLOW_UNSIGNED: bool = False
    """Let in deliveries without a signature. A wrong signature is refused all the same."""

    MAX_BODY_BYTES: int = 1024 * 1024
    """The longest body that is read, in bytes. The widest documented one has 2 000."""

    MAX_AGE_SECONDS: int | None = None
    """How long after its Timestamp an event may arrive to be dispatched; None for any time. A later
    one is stored and skipped: whoever captured a signed body can send it years later."""

    DISPATCH: Literal["in_process", "task", "worker"] = "in_process"
    """Which process calls the receivers: each web process, in threads of its own; the worker of a
    task queue, with a Django task for each event; or ``superoffice_dispatch`` alone."""

    LANES: int = 2
    """How many threads of a process call receivers, each with a database connection of its own; one
    on SQLite, which has one writer. 0: the thread that answers SuperOffice does, before it
    answers."""

    ORDERED: bool = False
    """Dispatch the events of one record (tenant, entity, primary key) one at a time, in the order
    in which they occurred."""

    LEASE_SECONDS: int = 300
    """After how long others dispatch the events of a process that is gone. A living process renews
    its claims. Also how long ``superoffice_dispatch`` leaves an event to the task queue."""

    CALL_SECONDS: int = 900
    """How long the call of a receiver may take before it is taken to hang: then that is reported,
    and the claim on its event is not renewed any more."""

    MAX_ATTEMPTS: int = 5
    """After how many failed attempts an event has failed for good."""

    RETRY_DELAYS: Sequence[float] = (60, 300, 1800, 7200)
    """Seconds to wait after the first, second, … attempt; the last one repeats. Up to a tenth is
    added at random, so that a thousand events that failed together do not return together."""

    SPOOL_DIR: str | Path | None = None
    """A directory of this machine for deliveries the database cannot take now. Without one they
    are answered 503 and SuperOffice has to send them again."""

    RETENTION: Mapping[str, float | timedelta | None] = MappingProxyType({})
    """{what: days} for ``superoffice_prune``; what is not named, or None, is kept for ever. See
    ``RETAINED``."""

    NOISE_FIELDS: Mapping[str, Iterable[str]] = MappingProxyType(
        {"*": ("updated", "updated_associate_id", "updatedCount", "last_changed", "soundEx")}
    )
    """{entity: names of fields} that change along with every other; both may be patterns. What is
    given for "*" replaces the default, what is given for an entity is added to it. A record's own
    key is noise in any case."""

    OWN_ASSOCIATES: Mapping[str, Iterable[int]] | Callable[[str], Iterable[int] | None] | str = (
        MappingProxyType({})
    )
    """{tenant: associate ids} under which we write to SuperOffice ourselves; or a callable, or its
    dotted path, that takes a tenant and returns them."""

    def __repr__(self) -> str:
        """Show all but the secrets; Django's error reports show what is in each frame."""
        shown = self._asdict() | {"SECRETS": "…"}
        return f"HooksSettings({', '.join(f'{key}={value!r}' for key, value in shown.items())})"

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints the settings name; a callable names none before it is asked for one."""
        match self.SECRETS:
            case str():
                return ()
            case Mapping() as by_endpoint:
                return tuple(by_endpoint)
            case _:
                return (DEFAULT_ENDPOINT,)

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

    def periods(self) -> dict[str, timedelta]:
        """How long each thing in RETAINED is kept that is not kept for ever.

        Raises:
            ValueError: RETENTION has something else than periods. A period that was guessed could
                delete what was to be kept.
        """
        given: Any = self.RETENTION
        if not isinstance(given, Mapping) or set(given) - set(RETAINED):
            raise ValueError(f"RETENTION is no dict of {', '.join(RETAINED)}.")
        return {what: _period(period) for what, period in given.items() if period is not None}

    def own_associates(self, tenant: str) -> frozenset[int]:
        """The associate ids under which we write to this tenant ourselves."""
        given = self.OWN_ASSOCIATES
        if isinstance(given, Mapping):
            return frozenset(given.get(tenant, ()))
        find = import_string(given) if isinstance(given, str) else given
        return frozenset(find(tenant) or ())


MODES = ("in_process", "task", "worker")
"""What DISPATCH may be."""

MOST_LANES = 64
"""The highest LANES."""

RETAINED = ("bodies", "events", "failed", "rejections")
"""What RETENTION may name: bodies, headers and tracebacks of events that came out well; such events
themselves; failed events; rejections."""

LONGEST = timedelta(days=36_500)
"""The longest period, far from where dates end. None is longer."""

KEYS = frozenset(HooksSettings._fields)


@cache
def current() -> HooksSettings:
    """The settings in force. What is no dict or no known key is left out; a check reports it."""
    given = getattr(settings, SETTING, {})
    known = given.items() if isinstance(given, Mapping) else ()
    return HooksSettings(**{key: value for key, value in known if key in KEYS})


@lru_cache(maxsize=1000)
def noise_of(entity: str) -> Names:
    """The fields of an entity that say nothing by changing, as names and patterns."""
    from . import dictionary  # noqa: PLC0415  (of use once there are events)

    given = {**HooksSettings().NOISE_FIELDS, **current().NOISE_FIELDS}
    noise = [given[key] for key in given if vocabulary.pattern(key).fullmatch(entity)]
    return Names(itertools.chain(dictionary.key_of(entity), *noise))


def is_own(tenant: str, associate_id: int | None) -> bool:
    """Whether an associate of a tenant is one that we ourselves write as."""
    if associate_id is None:
        return False
    try:
        return associate_id in current().own_associates(tenant)
    # The project's callable must not cost an event.
    except Exception:
        logger.exception("%s['OWN_ASSOCIATES'] could not be asked about %r", SETTING, tenant)
        return False


def is_positive(value: Any) -> bool:
    """Return whether it is a whole number above 0."""
    return type(value) is int and value > 0


def is_late(occurred_at: datetime | None, received_at: datetime) -> bool:
    """Return whether MAX_AGE_SECONDS had passed between these two."""
    most = current().MAX_AGE_SECONDS
    # A check reports what is no number.
    if occurred_at is None or most is None or not is_positive(most):
        return False
    return (received_at - occurred_at).total_seconds() > most


def _period(value: Any) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Not timedelta(days=value) at once: it overflows.
        value = timedelta(days=value) if 0 < value <= LONGEST.days else None
    if isinstance(value, timedelta) and timedelta() < value <= LONGEST:
        return value
    raise ValueError(f"RETENTION has a period that is not above 0 and up to {LONGEST.days} days.")


def has_tasks() -> bool:
    """Whether Django Tasks are there: part of Django from 6.0 on, django-tasks before."""
    return bool(find_spec("django.tasks") or find_spec("django_tasks"))


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        current.cache_clear()
        noise_of.cache_clear()


setting_changed.connect(_forget)
