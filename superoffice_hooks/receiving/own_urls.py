"""Where the project's URLconf has the webhook view."""

from collections.abc import Iterator
from contextlib import suppress

from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse

from .. import conf

_APP = "superoffice_hooks"


def path_of(endpoint: str) -> str:
    """Return the path of an endpoint's webhook, also if our URLs are in another namespace.

    Raises:
        NoReverseMatch: the URLconf does not have it.
    """
    arguments = () if endpoint == conf.DEFAULT_ENDPOINT else (endpoint,)
    for namespace in (_APP, *_namespaces(get_resolver())):
        with suppress(NoReverseMatch):
            return reverse(f"{namespace}:webhook", args=arguments)
    raise NoReverseMatch(f"The project's URLconf has no webhook for the endpoint {endpoint!r}.")


def _namespaces(resolver: URLResolver, outer: str = "") -> Iterator[str]:
    """Yield each namespace in which our URLs are."""
    for name, (_start, inner) in resolver.namespace_dict.items():
        if inner.app_name == _APP:
            yield outer + name
        yield from _namespaces(inner, f"{outer}{name}:")
