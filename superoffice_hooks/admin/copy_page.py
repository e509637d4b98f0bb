"""The page that offers an event as texts to copy, and the downloads of what was sent."""

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch
from django.utils.translation import gettext

from .. import conf
from ..exceptions import UnknownEndpoint
from ..models import Event
from ..receiving.own_urls import path_of
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from ..wire.notification import REDACTED
from . import display
from .copies import Copies
from .readonly import ReadOnlyAdmin

logger = get_logger(__name__)


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest, pk: int) -> HttpResponse:
    """Show the texts to copy. Who may replay gets a signature, too, which is logged."""
    event = get_object_or_404(admin.get_queryset(request), pk=pk)
    secret = None
    if admin.has_replay_permission(request):
        secret = _secret(event.endpoint)
        logger.info(
            "%s is shown a signature for %s",
            request.user.get_username(),
            event,
            extra=fields(event=event),
        )
    path = _path(event.endpoint)
    copies = Copies(event, request.build_absolute_uri(path), path, secret)
    return admin.render(
        request,
        "event/copy.html",
        title=gettext("Copy"),
        event=event,
        event_url=admin.url("event_change", pk),
        body_url=admin.url("event_body", pk) if event.body else "",
        file=copies.file,
        is_literal=copies.is_literal,
        redacted=display.line(event.headers.get(REDACTED, "")),
        copies=list(copies.all()),
    )


def body(admin: ReadOnlyAdmin[Event], request: HttpRequest, pk: int) -> HttpResponse:
    """Return the body byte for byte as sent, to be saved in a file."""
    event = get_object_or_404(admin.get_queryset(request), pk=pk)
    if not event.body:
        raise Http404(gettext("The body is pruned."))
    return _download(bytes(event.body), f"event-{pk}.json")


def payload(admin: ReadOnlyAdmin[Event], request: HttpRequest, pk: int) -> HttpResponse:
    """Return the payload as JSON, to be saved in a file."""
    event = get_object_or_404(admin.get_queryset(request), pk=pk)
    return _download(json.dumps(event.payload).encode(), f"event-{pk}-payload.json")


def _download(content: bytes, name: str) -> HttpResponse:
    """Return a file that no browser shows, with any content."""
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _path(endpoint: str) -> str:
    """Return the path of the webhook; the usual one if this site's URLs do not have it."""
    try:
        return path_of(endpoint)
    except NoReverseMatch:
        return "/superoffice/webhook/"


def _secret(endpoint: str) -> str:
    """Return the newest secret of an endpoint that can sign; empty if there is none."""
    try:
        secrets = conf.current().secrets_of(endpoint)
    except UnknownEndpoint:
        return ""
    return next(filter(_can_sign, secrets), "")


def _can_sign(secret: object) -> bool:
    """Return whether a secret is a text that can be encoded: one of lone surrogates cannot."""
    if not isinstance(secret, str):
        return False
    try:
        return bool(secret.encode())
    except UnicodeEncodeError:
        return False
