"""System checks: what is wrong with SUPEROFFICE_HOOKS, and what to do about it.

Servers start without running them, so none may be all that keeps a door shut. No message shows a
secret, nor a value that may be one in the wrong place.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from . import conf
from .models import Event

SHORTEST_SECRET = 16
"""In characters. Whoever has seen one signed body can try secrets on it without asking us; sixteen
random letters and digits (95 bits) are out of reach of that, a word with a number is not."""

_EXAMPLE = f'{conf.SETTING} = {{"SECRETS": [os.environ["SUPEROFFICE_SECRET"]]}}'


@checks.register(checks.Tags.security)
def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Everything about SUPEROFFICE_HOOKS."""
    given = getattr(settings, conf.SETTING, {})
    if not isinstance(given, Mapping):
        message = f"{conf.SETTING} is not a dict, so it counts as empty."
        return [checks.Error(message, hint=f"Write {_EXAMPLE}.", id="superoffice_hooks.E002")]
    return [*_keys(given), *_secrets(), *_numbers(), *_unsigned(), *_dispatch(), *_spool()]


def _keys(given: Mapping[Any, Any]) -> Iterator[checks.CheckMessage]:
    known = f"The keys are {', '.join(sorted(conf.KEYS))}."
    for key in [key for key in given if key not in conf.KEYS]:
        similar = difflib.get_close_matches(str(key).upper(), conf.KEYS, n=1)
        yield checks.Error(
            f"{conf.SETTING} has the unknown key {key!r}, which does nothing.",
            hint=f"Did you mean {similar[0]!r}?" if similar else known,
            id="superoffice_hooks.E009",
        )


def _secrets() -> Iterator[checks.CheckMessage]:
    match conf.current().SECRETS:
        case str(path) if path:
            yield from _callable(path)
        case Mapping() as by_endpoint if by_endpoint:
            for endpoint, secrets in by_endpoint.items():
                yield from _endpoint(endpoint)
                yield from _secrets_of(endpoint, secrets)
        case secrets:
            yield from _secrets_of(conf.DEFAULT_ENDPOINT, secrets)


def _callable(path: str) -> Iterator[checks.CheckMessage]:
    try:
        found = import_string(path)
    except Exception as error:
        # Not the error's text: it quotes the string, which may be the secret itself.
        yield checks.Error(
            f"{conf.SETTING}['SECRETS'] is a string, but not the dotted path of anything that can"
            f" be imported ({type(error).__name__}).",
            hint=f"If it is the secret itself, put it into a list: {_EXAMPLE}."
            " If it is the path of a callable, correct the path.",
            id="superoffice_hooks.E003",
        )
        return
    if not callable(found):
        yield checks.Error(
            f"{conf.SETTING}['SECRETS'] is the dotted path of something that cannot be called.",
            hint="Name a callable that takes an endpoint and returns its secrets, or None if there"
            " is no such endpoint.",
            id="superoffice_hooks.E004",
        )


def _endpoint(name: Any) -> Iterator[checks.CheckMessage]:
    longest = Event.endpoint.field.max_length or 0
    if not isinstance(name, str) or not 0 < len(name) <= longest or "/" in name:
        yield checks.Error(
            f"{conf.SETTING}['SECRETS'] has the endpoint {name!r}, which no URL can name.",
            hint=f"Give the endpoint a name of 1 to {longest} characters without a slash.",
            id="superoffice_hooks.E008",
        )


def _secrets_of(endpoint: Any, secrets: Any) -> Iterator[checks.CheckMessage]:
    # As in conf, a lone string is one secret.
    alone = bool(secrets) and not isinstance(secrets, list | tuple | set | frozenset)
    for secret in [secrets] if alone else secrets or [None]:
        yield from _secret(endpoint, secret)


def _secret(endpoint: Any, secret: Any) -> Iterator[checks.CheckMessage]:
    if secret is None or secret == "":
        if conf.current().ALLOW_UNSIGNED is not True:
            yield checks.Error(
                f"The endpoint {endpoint!r} has no secret, or an empty one, which lets nobody in.",
                hint=f"Write {_EXAMPLE} and give the webhook in SuperOffice the same secret."
                " If that is what you wrote, the environment variable is empty.",
                id="superoffice_hooks.E001",
            )
    elif not isinstance(secret, str):
        yield checks.Error(
            f"A secret of the endpoint {endpoint!r} is a {type(secret).__name__}, not text.",
            hint=f"Write {_EXAMPLE}; decode bytes first.",
            id="superoffice_hooks.E005",
        )
    elif len(secret) < SHORTEST_SECRET:
        yield checks.Warning(
            f"A secret of the endpoint {endpoint!r} has fewer than {SHORTEST_SECRET} characters.",
            hint="Whoever has seen one delivery can guess at it. Make a longer one with"
            ' `python -c "import secrets; print(secrets.token_urlsafe(32))"`.',
            id="superoffice_hooks.W003",
        )
    elif secret != secret.strip():
        yield checks.Warning(
            f"A secret of the endpoint {endpoint!r} begins or ends with white space.",
            hint="If it was read from a file, the line end came along: strip() it.",
            id="superoffice_hooks.W002",
        )


def _numbers() -> Iterator[checks.CheckMessage]:
    for key in ("MAX_BODY_BYTES", "LEASE_SECONDS", "MAX_ATTEMPTS"):
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


def _unsigned() -> Iterator[checks.CheckMessage]:
    allowed = conf.current().ALLOW_UNSIGNED
    if not isinstance(allowed, bool):
        yield checks.Error(
            f"{conf.SETTING}['ALLOW_UNSIGNED'] is a {type(allowed).__name__}, so it does nothing.",
            hint="Write True or False. Values from the environment are text, 'False' too.",
            id="superoffice_hooks.E006",
        )
    elif allowed:
        message = f"{conf.SETTING}['ALLOW_UNSIGNED'] lets anybody send events."
        hint = "Give the webhook in SuperOffice a secret and remove ALLOW_UNSIGNED."
        if settings.DEBUG:
            yield checks.Warning(message, hint=hint, id="superoffice_hooks.W001")
        else:
            yield checks.Error(message, hint=hint, id="superoffice_hooks.E007")


def _dispatch() -> Iterator[checks.CheckMessage]:
    current = conf.current()
    if current.DISPATCH not in conf.MODES:
        yield _wrong("DISPATCH", f"Write one of {', '.join(map(repr, conf.MODES))}.")
    elif current.DISPATCH == "task" and not conf.has_tasks():
        yield checks.Error(
            f"{conf.SETTING}['DISPATCH'] is 'task', but there is no Django Tasks here.",
            hint="Install django-tasks and configure TASKS, or use Django 6.0 or newer.",
            id="superoffice_hooks.E010",
        )
    if not isinstance(current.ORDERED, bool):
        yield _wrong("ORDERED", "Write True or False.")
    delays = current.RETRY_DELAYS
    if not isinstance(delays, list | tuple) or not delays or not all(map(_is_delay, delays)):
        yield _wrong("RETRY_DELAYS", "Write a list of seconds, as [60, 300, 1800].")


def _is_delay(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _wrong(key: str, hint: str) -> checks.Error:
    value = getattr(conf.current(), key)
    return checks.Error(
        f"{conf.SETTING}[{key!r}] cannot be {value!r}.", hint=hint, id="superoffice_hooks.E006"
    )


def _spool() -> Iterator[checks.CheckMessage]:
    directory = conf.current().SPOOL_DIR
    if directory and not os.access(directory, os.W_OK | os.X_OK):
        yield checks.Error(
            f"{conf.SETTING}['SPOOL_DIR'] ({directory}) is no directory this user can write to.",
            hint="Make the directory, on a disk of this machine, and let only the server's user"
            " into it: deliveries wait there while the database is away.",
            id="superoffice_hooks.E011",
        )
