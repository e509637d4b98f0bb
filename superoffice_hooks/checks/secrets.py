"""Checks of SECRETS and ALLOW_UNSIGNED, which decide what deliveries are accepted."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from .. import conf
from ..models import Event

SHORTEST_SECRET = 16
"""In characters. Who has seen one signed body can try any number of secrets on it. A word with a
number is guessed in this way. Sixteen random letters and digits (95 bits) are not."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTES = tuple("\"'`“”\u2018\u2019«»")

EXAMPLE = f'{conf.SETTING} = {{"SECRETS": [os.environ["SUPEROFFICE_SECRET"]]}}'


def secrets() -> Iterator[checks.CheckMessage]:
    """Check SECRETS: a callable, or secrets of one endpoint or of several."""
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
        imported = import_string(path)
    except Exception as error:
        # Not the error's text: it quotes the string, which may be the secret itself.
        yield checks.Error(
            f"{conf.SETTING}['SECRETS'] is a string, but not the dotted path of anything that can"
            f" be imported ({type(error).__name__}).",
            hint=f"If it is the secret itself, put it into a list: {EXAMPLE}."
            " If it is the path of a callable, correct the path.",
            id="superoffice_hooks.E003",
        )
        return
    if not callable(imported):
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
                hint=f"Write {EXAMPLE} and give the webhook in SuperOffice the same secret."
                " If that is what you wrote, the environment variable is empty.",
                id="superoffice_hooks.E001",
            )
    elif not isinstance(secret, str):
        yield checks.Error(
            f"A secret of the endpoint {endpoint!r} is a {type(secret).__name__}, not text.",
            hint=f"Write {EXAMPLE}; decode bytes first.",
            id="superoffice_hooks.E005",
        )
    else:
        yield from _text(endpoint, secret)


def _text(endpoint: Any, secret: str) -> Iterator[checks.CheckMessage]:
    """Report secrets that are short, or that were copied, quoted or decoded wrongly."""
    if len(secret) < SHORTEST_SECRET:
        yield checks.Warning(
            f"A secret of the endpoint {endpoint!r} has fewer than {SHORTEST_SECRET} characters.",
            hint="Anybody who has seen one delivery can guess it. Make a longer one with"
            ' `python -c "import secrets; print(secrets.token_urlsafe(32))"`.',
            id="superoffice_hooks.W003",
        )
    if secret != secret.strip():
        yield checks.Warning(
            f"A secret of the endpoint {endpoint!r} begins or ends with white space.",
            hint="If it was read from a file, its line end is part of the secret: strip() it.",
            id="superoffice_hooks.W002",
        )
    if _SURROGATE.search(secret):
        yield checks.Error(
            f"A secret of the endpoint {endpoint!r} has a character that is no text, so it matches"
            " nothing.",
            hint="The environment or file that it comes from is not UTF-8. Write it as UTF-8, as"
            " SuperOffice does, or use letters and digits alone.",
            id="superoffice_hooks.E013",
        )
    elif not secret.strip().isprintable():
        yield checks.Warning(
            f"A secret of the endpoint {endpoint!r} has an invisible character: a byte order mark,"
            " a zero width space, a control character or the like.",
            hint="It was copied with the secret, or read with it from a file (Windows editors"
            " begin files with one: read them as utf-8-sig). Write the secret anew.",
            id="superoffice_hooks.W006",
        )
    if len(secret) > 1 and secret.strip()[:1] in _QUOTES and secret.strip()[-1:] in _QUOTES:
        yield checks.Warning(
            f"A secret of the endpoint {endpoint!r} stands in quotes, which count as part of it.",
            hint="Not every reader of .env files removes quotes: write the secret without them.",
            id="superoffice_hooks.W007",
        )


def unsigned() -> Iterator[checks.CheckMessage]:
    """Check ALLOW_UNSIGNED, which lets anybody on the internet send events."""
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
