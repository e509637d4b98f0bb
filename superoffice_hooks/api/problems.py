"""Errors in the format of RFC 9457: ``application/problem+json``.

The handler is set per view, because REST_FRAMEWORK belongs to the project. Values that were sent
are never quoted.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.encoding import escape_uri_path
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

MEDIA_TYPE = "application/problem+json"

_MAX_INSTANCE = 500
MAX_MISTAKES = 20


class Mistake(NamedTuple):
    """What is wrong with one value of a request."""

    name: str
    """The name of the parameter; of a value inside another, with a dot: ``criteria.since``."""
    detail: str


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer to an error of REST framework or Django; None for any other."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, exceptions.UnsupportedMediaType):
        error = exceptions.UnsupportedMediaType("", "Expected a body of application/json.")
    if not isinstance(error, exceptions.APIException):
        return None
    # REST framework's own handler rolls back a surrounding transaction, which is not ours.
    return Response(
        problem(error, context["request"]), status=error.status_code, headers=_headers(error)
    )


def problem(error: exceptions.APIException, request: Request) -> dict[str, Any]:
    """Return the problem details of an error."""
    mistakes = list(islice(_mistakes(error.detail), MAX_MISTAKES))
    details = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": " ".join(_sentence(mistake) for mistake in mistakes),
    }
    path = escape_uri_path(request.path)
    if len(path) <= _MAX_INSTANCE:
        details["instance"] = path
    if error.status_code == HTTPStatus.BAD_REQUEST:
        details["errors"] = [mistake._asdict() for mistake in mistakes if mistake.name]
    return details


def wrong(name: str, detail: str) -> exceptions.ValidationError:
    """Return the error for one wrong value."""
    return exceptions.ValidationError({name: [detail]})


def wrong_form(form: Any) -> exceptions.ValidationError:
    """Return the error for the errors of a form."""
    return exceptions.ValidationError({name: list(errors) for name, errors in form.errors.items()})


def _mistakes(detail: Any, name: str = "") -> Iterator[Mistake]:
    match detail:
        case dict():
            for key, value in detail.items():
                own = "" if key == api_settings.NON_FIELD_ERRORS_KEY else str(key)
                yield from _mistakes(value, ".".join(filter(None, (name, own))))
        case list():
            for value in detail:
                yield from _mistakes(value, name)
        case _:
            yield Mistake(name, str(detail))


def _sentence(mistake: Mistake) -> str:
    return f"{mistake.name}: {mistake.detail}" if mistake.name else mistake.detail


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers
