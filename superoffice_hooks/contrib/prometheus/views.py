"""The page that Prometheus scrapes."""

import os
from collections.abc import Callable
from contextlib import suppress

from django.contrib.auth.decorators import login_not_required
from django.db import Error, connections
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from ...models import queue
from .standing import register


def metrics(*, token: str | None) -> Callable[[HttpRequest], HttpResponse]:
    """Return a view with all metrics of the process.

    With PROMETHEUS_MULTIPROC_DIR, they are those of all processes that share this directory.

    Args:
        token: the bearer token that Prometheus has to send. None lets everybody in: use it where
            a proxy or the network keeps others out.

    Raises:
        ValueError: the token is empty, as an environment variable that is not set may be.
    """
    if token is not None and not token.strip():
        raise ValueError("The token for the metrics is empty. None lets everybody in, on purpose.")

    @login_not_required
    @never_cache
    @require_safe
    @sensitive_variables()
    def view(request: HttpRequest) -> HttpResponse:
        sent = request.headers.get("Authorization", "")
        if token is not None and not constant_time_compare(sent, f"Bearer {token}"):
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        # The collector leaves a connection open that is open before; CONN_MAX_AGE ends it.
        with suppress(Error):
            connections[queue.using()].ensure_connection()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(_registry()), content_type=content_type)

    return view


def _registry() -> CollectorRegistry:
    """Return the registry with the metrics that are exported."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    register(shared)
    return shared
