"""The settings: one dict, SUPEROFFICE_HOOKS, which is read once, when it is first needed.

Values are not validated here; ``checks`` reports wrong ones.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .exceptions import UnknownEndpoint
from .wire import dictionary, event_names
from .wire.event_names import Names
from .wire.log_fields import fields as fields_of_a_record
from .wire.logs import get_logger

logger = get_logger(__name__)

SETTING = "SUPEROFFICE_HOOKS"
DEFAULT_ENDPOINT = "default"


@dataclass(frozen=True)
class HooksSettings:
    """SUPEROFFICE_HOOKS with its defaults. Field names are the dict's keys."""

    # Not in the repr: Django's error reports show the variables of each frame.
    SECRETS: Sequence[str] | Mapping[str, Sequence[str]] | str = field(default=(), repr=False)
    """Secrets of the default endpoint, newest first; or {endpoint: secrets}; or the dotted path of
    a callable ``(endpoint: str) -> Iterable[str] | None`` (None: there is no such endpoint)."""

    ALLOW_UNSIGNED: bool = False
    """Accept deliveries without a signature. A wrong signature is still refused."""

    MAX_BODY_BYTES: int = 1024 * 1024
    """The longest body that is read, in bytes. The longest documented one has 2 000."""

    MAX_AGE_SECONDS: int | None = None
    """An event that arrives later after its Timestamp is stored and skipped: somebody could send a
    captured body again years later. None: no event is too late."""

    DISPATCH: Literal["in_process", "task", "worker"] = "in_process"
    """Where receivers are called: in threads of each web process; by the workers of a task queue,
    with a Django task for each event; or by ``superoffice_dispatch`` alone."""

    LANES: int = 2
    """How many threads of a process call receivers, each with a database connection of its own; one
    on SQLite, which has one writer. With 0, receivers are called before SuperOffice is answered."""

    ORDERED: bool = False
    """Dispatch the events of one record (tenant, entity, primary key) one at a time, in the order
    in which they occurred."""

    LEASE_SECONDS: int = 300
    """After how long other processes dispatch the events that a dead process had claimed. A living
    process renews its claims. Also how long an event is left to the task queue."""

    CALL_SECONDS: int = 900
    """A call of a receiver that takes longer hangs: it is reported, and the claim on its event is
    not renewed any more."""

    MAX_ATTEMPTS: int = 5
    """After how many failed attempts an event is not retried any more."""

    RETRY_DELAYS: Sequence[float] = (60, 300, 1800, 7200)
    """Seconds to wait after the first, second, … attempt; the last one repeats. Up to a tenth is
    added at random, so that a thousand events that failed together do not return together."""

    SPOOL_DIR: str | Path | None = None
    """A directory of this machine for deliveries while the database is away. Without one, they are
    answered 503 and SuperOffice has to send them again."""

    RETENTION: Mapping[str, float | timedelta | None] = field(default_factory=dict)
    """{one of RETAINED: days} for ``superoffice_prune``. Without a key, or with None: for ever."""

    NOISE_FIELDS: Mapping[str, Iterable[str]] = field(
        default_factory=lambda: {
            "*": ("updated", "updated_associate_id", "updatedCount", "last_changed", "soundEx")
        }
    )
    """{entity: names of fields} that change with any other field; both may be patterns. A value for
    "*" replaces the default; one for an entity is added to it. The record's own key is always
    noise."""

    OWN_ASSOCIATES: Mapping[str, Iterable[int]] | Callable[[str], Iterable[int] | None] | str = (
        field(default_factory=dict)
    )
    """{tenant: associate ids} with which this project writes to SuperOffice; or a callable, or its
    dotted path, that takes a tenant and returns them."""

    REDACT: Sequence[str] = ()
    """Keys of the body whose values are replaced before anything is kept: names at any depth, or
    paths from the top (``FieldValues.email``); both may be patterns."""

    FAILURE_FINGERPRINT: Callable[..., str | None] | str | None = None
    """A callable ``(error, event, receiver) -> str | None``, or its dotted path: failures of a
    receiver with the same text are one group. None: our own fingerprint."""

    CONNECTIONS: Mapping[str, Mapping[str, Any]] | Callable[[str], Any] | str = field(
        default_factory=dict, repr=False
    )
    """{tenant: how to sign in to its API}; or a callable that takes a tenant, or its path."""

    WEBHOOKS: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """{endpoint: the webhook that SuperOffice is to have for it}, for ``superoffice_subscribe``."""

    API_RATE: float = 5
    """The maximum number of calls per second to the API of one tenant, for each process."""

    REACTIVATE: int | Literal[False] = False
    """How often a day a webhook that was ended for too many errors is activated again."""

    WATCH_EVERY: float | None = None
    """Seconds between two looks of a dispatcher at each of WEBHOOKS; None for no look."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Return the endpoints in the settings; none if SECRETS is a callable."""
        match self.SECRETS:
            case str():
                return ()
            case Mapping() as by_endpoint:
                return tuple(by_endpoint)
            case _:
                return (DEFAULT_ENDPOINT,)

    def secrets_of(self, endpoint: str) -> tuple[str, ...]:
        """Return the secrets of an endpoint, newest first.

        Raises:
            UnknownEndpoint: the settings have no such endpoint.
        """
        secrets: Iterable[str] | str | None
        match self.SECRETS:
            case str(path):
                secrets = import_string(path)(endpoint)
            case Mapping() as by_endpoint:
                secrets = by_endpoint.get(endpoint)
            case of_default:
                secrets = of_default if endpoint == DEFAULT_ENDPOINT else None
        if secrets is None:
            raise UnknownEndpoint
        # A single string is one secret, and not a secret for each character.
        return (secrets,) if isinstance(secrets, str) else tuple(secrets)

    def periods(self) -> dict[str, timedelta]:
        """Return how long things are kept, by the keys in RETAINED; without what is kept for ever.

        Raises:
            ValueError: RETENTION has a wrong key or value. A wrong guess could delete too much.
        """
        retention: Any = self.RETENTION
        if not isinstance(retention, Mapping) or set(retention) - set(RETAINED):
            raise ValueError(f"RETENTION is no dict of {', '.join(RETAINED)}.")
        return {what: _period(period) for what, period in retention.items() if period is not None}


MODES = ("in_process", "task", "worker")
"""The values of DISPATCH."""

MAX_LANES = 64
"""The highest LANES."""

RETAINED = ("bodies", "events", "failed", "rejections")
"""The keys of RETENTION: bodies, headers and tracebacks of finished events that did not fail; these
events themselves; failed events; rejections."""

LONGEST = timedelta(days=36_500)
"""The longest period. With a longer one, dates could overflow."""

KEYS = frozenset(key.name for key in fields(HooksSettings))


@cache
def current() -> HooksSettings:
    """Return the current settings, without unknown keys, which a check reports."""
    value = getattr(settings, SETTING, {})
    items = value.items() if isinstance(value, Mapping) else ()
    return HooksSettings(**{key: value for key, value in items if key in KEYS})


@lru_cache(maxsize=1000)
def noise_of(entity: str) -> Names:
    """Return the noise fields of an entity, as names and patterns."""
    by_entity = {**HooksSettings().NOISE_FIELDS, **current().NOISE_FIELDS}
    noise = [by_entity[key] for key in by_entity if event_names.pattern(key).fullmatch(entity)]
    return Names(itertools.chain(dictionary.key_of(entity), *noise))


def is_own(tenant: str, associate_id: int | None) -> bool:
    """Return whether this project writes to a tenant as this associate."""
    if associate_id is None:
        return False
    own = current().OWN_ASSOCIATES
    try:
        if isinstance(own, Mapping):
            return associate_id in own.get(tenant, ())
        find = import_string(own) if isinstance(own, str) else own
        return associate_id in (find(tenant) or ())
    # An error of the project's callable must not keep the event from being stored.
    except Exception:
        extra = fields_of_a_record(tenant=tenant)
        logger.exception("%s['OWN_ASSOCIATES'] raised for tenant %r", SETTING, tenant, extra=extra)
        return False


def is_positive(value: Any) -> bool:
    """Return whether it is a whole number above 0."""
    return type(value) is int and value > 0


def is_late(occurred_at: datetime | None, received_at: datetime) -> bool:
    """Return whether an event was received more than MAX_AGE_SECONDS after it occurred."""
    max_age = current().MAX_AGE_SECONDS
    # A check reports a wrong value; here, it counts as None.
    if occurred_at is None or max_age is None or not is_positive(max_age):
        return False
    return (received_at - occurred_at).total_seconds() > max_age


def _period(value: Any) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Compared first, because timedelta(days=value) can overflow.
        value = timedelta(days=value) if 0 < value <= LONGEST.days else None
    if isinstance(value, timedelta) and timedelta() < value <= LONGEST:
        return value
    raise ValueError(f"RETENTION has a period that is not above 0 and up to {LONGEST.days} days.")


def has_tasks() -> bool:
    """Return whether Django has Tasks, which came with 6.0, or django-tasks is installed."""
    return bool(find_spec("django.tasks") or find_spec("django_tasks"))


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        current.cache_clear()
        noise_of.cache_clear()


setting_changed.connect(_forget)
