"""Which requests are the webhook's, and the answer of its view."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from django.utils.log import log_response
from django.utils.module_loading import import_string

_MAX_PATHS = 1000
"""How many paths are remembered. There are as many as endpoints, but anybody can make more up."""


class Unread:
    """A request of which no part is read in advance.

    Django looks up the character set of the body, and fails if the sender made one up.
    """

    content_type: str | None
    content_params: dict[str, str] | None

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = str(meta.get("CONTENT_TYPE", "")), {}


class Webhook:
    """The webhook view, and the URLs that lead to it."""

    def __init__(self) -> None:
        # Views need the models, and a project imports the door before its apps are ready.
        self._view: Any = import_string("superoffice_hooks.views.webhook")
        self._respond = convert_exception_to_response(self._call)
        self._starts = lru_cache(maxsize=1)(self._starts_of)
        self._resolved = lru_cache(_MAX_PATHS)(self._resolve)

    def at(self, path: str) -> ResolverMatch | None:
        """Return how the URLconf leads from a path to the view; None if it leads elsewhere."""
        resolver = get_resolver()
        if path.startswith(self._starts(resolver)):
            return self._resolved(resolver, path)
        return None

    def answer(self, request: HttpRequest, match: ResolverMatch, door: type) -> HttpResponse:
        """Return the view's answer, logged and with the length that Django's handlers give it.

        As it is closed, it closes the request, and the door sends request_finished.
        """
        request.resolver_match = match
        response: Any = self._respond(request)
        response._handler_class = door
        response._resource_closers.append(request.close)
        if response.status_code >= 400:
            log_response(
                "%s: %s",
                response.reason_phrase,
                request.path,
                response=response,
                request=request,
            )
        # A server would send an answer without a length in chunks.
        response.headers["Content-Length"] = str(len(response.content))
        return cast(HttpResponse, response)

    def _call(self, request: HttpRequest) -> HttpResponse:
        match: Any = request.resolver_match
        response: HttpResponse = self._view(request, *match.args, **match.kwargs)
        return response

    def _starts_of(self, resolver: URLResolver) -> tuple[str, ...]:
        """Return how the paths of the view begin, so that others need not be resolved twice."""
        return tuple({f"/{start}" for start, view in _starts(resolver) if view is self._view})

    def _resolve(self, resolver: URLResolver, path: str) -> ResolverMatch | None:
        try:
            match = resolver.resolve(path)
        except Resolver404:
            return None
        # A view that the project has decorated has something to do before ours.
        return match if match.func is self._view else None


def _starts(resolver: URLResolver) -> Iterator[tuple[str, Any]]:
    """Yield the plain text with which the path of each view begins, and the view."""
    for entry in resolver.url_patterns:
        plain, _, rest = _route(entry).partition("<")
        if isinstance(entry, URLPattern):
            yield plain, entry.callback
            continue
        for start, view in _starts(entry):
            # Only what stands before the first variable part is known.
            yield plain if rest or not _is_route(entry) else plain + start, view


def _route(entry: URLPattern | URLResolver) -> str:
    return str(entry.pattern) if _is_route(entry) else ""


def _is_route(entry: URLPattern | URLResolver) -> bool:
    return isinstance(entry.pattern, RoutePattern)
