"""Checks of what may answer SuperOffice before the webhook view, with a redirect or an error.

It is not documented that SuperOffice follows redirects, and nine failures stop a webhook.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.core import checks
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern, RoutePattern

from .. import conf

_VIEW = "superoffice_hooks.views.webhook"
_SECURITY = "django.middleware.security.SecurityMiddleware"
_COMMON = "django.middleware.common.CommonMiddleware"
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


class Route(NamedTuple):
    """A URL of the webhook view, as the URLconf has it."""

    path: str | None
    """An example, from the root of the site; None if it is written as a regular expression."""
    has_language: bool


def deployment() -> Iterator[checks.CheckMessage]:
    """Check the URLs of the view, and the settings that concern every request."""
    routes = list(_routes(get_resolver(), "/", has_language=False))
    if not routes:
        return
    paths = list(dict.fromkeys(route.path for route in routes if route.path))
    if any(route.has_language for route in routes):
        yield _language()
    yield from _hidden(paths)
    yield from _slashes(paths)
    yield from _redirects(paths)
    yield from _hosts()


def _routes(resolver: URLResolver, path: str | None, *, has_language: bool) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        pattern = entry.pattern
        inside = has_language or isinstance(pattern, LocalePrefixPattern)
        example = _example(path, pattern)
        if isinstance(entry, URLResolver):
            yield from _routes(entry, example, has_language=inside)
        elif _is_ours(entry):
            yield Route(example, inside)


def _example(path: str | None, pattern: Any) -> str | None:
    if path is None or not isinstance(pattern, RoutePattern | LocalePrefixPattern):
        return None
    return path + _CONVERTER.sub(conf.DEFAULT_ENDPOINT, str(pattern))


def _is_ours(entry: URLPattern) -> bool:
    view: Any = entry.callback
    # Decorators of a project keep the name with functools.wraps.
    return f"{view.__module__}.{getattr(view, '__qualname__', '')}" == _VIEW


def _language() -> checks.CheckMessage:
    return checks.Warning(
        "The webhook's URL is inside i18n_patterns(), so it begins with a language, and without one"
        " the answer is a redirect.",
        hint='Put path("superoffice/", include("superoffice_hooks.urls")) outside of'
        " i18n_patterns().",
        id="superoffice_hooks.W009",
    )


def _hidden(paths: list[str]) -> Iterator[checks.CheckMessage]:
    for path in paths:
        is_ours, name = _resolved(path) or (True, "")
        if not is_ours:
            yield checks.Error(
                f"Deliveries to {path} reach {name}, because an earlier entry of the URLconf"
                " matches them.",
                hint="Move the webhook's URL before it in urlpatterns.",
                id="superoffice_hooks.E014",
            )


def _slashes(paths: list[str]) -> Iterator[checks.CheckMessage]:
    if not settings.APPEND_SLASH or _COMMON not in settings.MIDDLEWARE:
        return
    for path in paths:
        if path.endswith("/") and not _resolved(path.rstrip("/")):
            yield checks.Warning(
                f"{path} is a URL of the webhook, but not without its slash: there, APPEND_SLASH"
                " answers with a redirect.",
                hint='include("superoffice_hooks.urls") has both; or add the other path.',
                id="superoffice_hooks.W010",
            )


def _resolved(path: str) -> tuple[bool, str] | None:
    """Return whether a path leads to our view, and the name of the view that it leads to."""
    try:
        match = get_resolver().resolve(path)
    except Resolver404:
        return None
    name = f"{match.func.__module__}.{getattr(match.func, '__qualname__', match.func)}"
    return name == _VIEW, name


def _redirects(paths: list[str]) -> Iterator[checks.CheckMessage]:
    exempt = [re.compile(pattern) for pattern in settings.SECURE_REDIRECT_EXEMPT]
    covered = all(any(e.search(path.lstrip("/")) for e in exempt) for path in paths)
    if (
        settings.SECURE_SSL_REDIRECT
        and _SECURITY in settings.MIDDLEWARE
        and not settings.SECURE_PROXY_SSL_HEADER
        and not (paths and covered)
    ):
        yield checks.Warning(
            "SECURE_SSL_REDIRECT is on and SECURE_PROXY_SSL_HEADER is not set: behind a proxy that"
            " ends TLS, every delivery is answered with a redirect.",
            hint="Set SECURE_PROXY_SSL_HEADER to the header that your proxy sets, or name the"
            " webhook's path in SECURE_REDIRECT_EXEMPT, as r\"^superoffice/webhook\". If Django's"
            " own server ends TLS, silence this.",
            id="superoffice_hooks.W011",
        )
    if settings.PREPEND_WWW and _COMMON in settings.MIDDLEWARE:
        yield checks.Warning(
            "PREPEND_WWW is on: deliveries to a host without www. are answered with a redirect.",
            hint="Give SuperOffice an address that begins with www., and silence this.",
            id="superoffice_hooks.W012",
        )


def _hosts() -> Iterator[checks.CheckMessage]:
    if not settings.ALLOWED_HOSTS and not settings.DEBUG:
        yield checks.Warning(
            "ALLOWED_HOSTS is empty, so every delivery is answered 400.",
            hint="Add the host of the address that SuperOffice has.",
            id="superoffice_hooks.W013",
        )
