"""Checks of the keys of SUPEROFFICE_HOOKS, and of all values but the secrets."""

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from .. import conf
from ..wire import event_names
from ..wire.redacting import KEPT


def keys(setting: Mapping[Any, Any]) -> Iterator[checks.CheckMessage]:
    """Report unknown keys; often they are misspelt."""
    known = f"The keys are {', '.join(sorted(conf.KEYS))}."
    for key in [key for key in setting if key not in conf.KEYS]:
        similar = difflib.get_close_matches(str(key).upper(), conf.KEYS, n=1)
        yield checks.Error(
            f"{conf.SETTING} has the unknown key {key!r}, which does nothing.",
            hint=f"Did you mean {similar[0]!r}?" if similar else known,
            id="superoffice_hooks.E009",
        )


def numbers() -> Iterator[checks.CheckMessage]:
    """Check MAX_BODY_BYTES, LEASE_SECONDS, CALL_SECONDS and MAX_ATTEMPTS."""
    for key in ("MAX_BODY_BYTES", "LEASE_SECONDS", "CALL_SECONDS", "MAX_ATTEMPTS"):
        value = getattr(conf.current(), key)
        if type(value) is not int or value <= 0:
            yield checks.Error(
                f"{conf.SETTING}[{key!r}] is {value!r}, not a whole number above 0.",
                hint=f"Write a number, as {getattr(conf.HooksSettings(), key)},"
                " or leave the key out. Values from the environment are text: wrap them in int().",
                id="superoffice_hooks.E006",
            )
        elif key == "MAX_BODY_BYTES":
            yield from _body_size(value)


def _body_size(ours: int) -> Iterator[checks.CheckMessage]:
    djangos: int | None = getattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", None)  # None: no limit
    if djangos is not None and ours > djangos:
        yield checks.Warning(
            f"{conf.SETTING}['MAX_BODY_BYTES'] ({ours}) is above DATA_UPLOAD_MAX_MEMORY_SIZE"
            f" ({djangos}). If a middleware reads request.body, Django answers 400 to longer bodies"
            " before the webhook view sees them.",
            hint="Lower the one or raise the other.",
            id="superoffice_hooks.W004",
        )


def dispatch() -> Iterator[checks.CheckMessage]:
    """Check DISPATCH, LANES, MAX_AGE_SECONDS, ORDERED and RETRY_DELAYS."""
    current = conf.current()
    if type(current.LANES) is not int or not 0 <= current.LANES <= conf.MAX_LANES:
        yield wrong("LANES", f"Write a whole number from 0 to {conf.MAX_LANES}.")
    if current.DISPATCH not in conf.MODES:
        yield wrong("DISPATCH", f"Write one of {', '.join(map(repr, conf.MODES))}.")
    elif current.DISPATCH == "task" and not conf.has_tasks():
        yield checks.Error(
            f"{conf.SETTING}['DISPATCH'] is 'task', but there is no Django Tasks here.",
            hint="Install django-tasks and configure TASKS, or use Django 6.0 or newer.",
            id="superoffice_hooks.E010",
        )
    if current.MAX_AGE_SECONDS is not None and not conf.is_positive(current.MAX_AGE_SECONDS):
        yield wrong("MAX_AGE_SECONDS", "Write a whole number of seconds above 0, or None.")
    if not isinstance(current.ORDERED, bool):
        yield wrong("ORDERED", "Write True or False.")
    delays = current.RETRY_DELAYS
    if not isinstance(delays, list | tuple) or not delays or not all(map(is_number, delays)):
        yield wrong("RETRY_DELAYS", "Write a list of seconds, as [60, 300, 1800].")


def is_number(value: Any, least: float = 0) -> bool:
    """Return whether it is a number, and no truth value, from ``least`` on."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def wrong(key: str, hint: str) -> checks.Error:
    """Return the error for a value that a key cannot have."""
    value = getattr(conf.current(), key)
    return checks.Error(
        f"{conf.SETTING}[{key!r}] cannot be {value!r}.", hint=hint, id="superoffice_hooks.E006"
    )


def spool() -> Iterator[checks.CheckMessage]:
    """Check SPOOL_DIR."""
    directory = conf.current().SPOOL_DIR
    if directory and not os.access(directory, os.W_OK | os.X_OK):
        # An error would keep superoffice_dispatch from running.
        yield checks.Warning(
            f"{conf.SETTING}['SPOOL_DIR'] ({directory}) is no directory this user can write to.",
            hint="Make the directory, on a disk of this machine, and let only the server's user"
            " into it: deliveries wait there while the database is away.",
            id="superoffice_hooks.W032",
        )


def redacting() -> Iterator[checks.CheckMessage]:
    """Check REDACT."""
    names = conf.current().REDACT
    if not isinstance(names, list | tuple | set | frozenset) or not all(map(_is_name, names)):
        longest = event_names.MAX_PATTERN
        yield wrong(
            "REDACT",
            'Write a list of keys, paths and patterns, as ["email", "FieldValues.*phone*"], each of'
            f" up to {longest} characters.",
        )
    elif kept := KEPT.among(names):
        yield wrong(
            "REDACT",
            f"{', '.join(kept)}: it says which event it is, so it is never redacted at the top of a"
            " body. Leave it out.",
        )


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name.strip()) <= event_names.MAX_PATTERN


def retention() -> Iterator[checks.CheckMessage]:
    """Check RETENTION."""
    try:
        conf.current().periods()
    except ValueError:
        yield wrong(
            "RETENTION",
            'Write {what: days}, as {"bodies": 30, "events": 365}. The keys are'
            f" {', '.join(conf.RETAINED)}; days are a number above 0 and up to"
            f" {conf.LONGEST.days}, or a timedelta; None is for ever.",
        )


def fields() -> Iterator[checks.CheckMessage]:
    """Check NOISE_FIELDS, OWN_ASSOCIATES and FAILURE_FINGERPRINT."""
    if not _maps(conf.current().NOISE_FIELDS, str):
        yield wrong("NOISE_FIELDS", 'Write {entity: names}, as {"ticket": ["read_by_owner"]}.')
    own = conf.current().OWN_ASSOCIATES
    if isinstance(own, str):
        yield from _importable("OWN_ASSOCIATES", own, "takes a tenant and returns associate ids")
    elif not callable(own) and not _maps(own, int):
        yield wrong(
            "OWN_ASSOCIATES",
            'Write {tenant: associate ids}, as {"Cust12345": [17]}, or a callable that takes a'
            " tenant and returns them.",
        )
    fingerprint = conf.current().FAILURE_FINGERPRINT
    if isinstance(fingerprint, str):
        takes = "takes error, event and receiver and returns a text or None"
        yield from _importable("FAILURE_FINGERPRINT", fingerprint, takes)
    elif fingerprint is not None and not callable(fingerprint):
        yield wrong("FAILURE_FINGERPRINT", "Write the dotted path of a callable, or None.")


def _maps(value: Any, kind: type) -> bool:
    """Return whether it is {text: collection of this kind}; a lone text is no collection."""
    return isinstance(value, Mapping) and all(
        isinstance(key, str)
        and isinstance(items, list | tuple | set | frozenset | range)
        and all(isinstance(item, kind) for item in items)
        for key, items in value.items()
    )


def _importable(key: str, path: str, takes: str) -> Iterator[checks.CheckMessage]:
    try:
        imported = import_string(path)
    except Exception as error:
        problem = f"cannot be imported ({type(error).__name__})"
    else:
        if callable(imported):
            return
        problem = "cannot be called"
    yield checks.Error(
        f"{conf.SETTING}[{key!r}] is {path!r}, which {problem}.",
        hint=f"Write the dotted path of a callable that {takes}.",
        id="superoffice_hooks.E012",
    )
