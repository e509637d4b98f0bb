"""Mistakes, told as RFC 9457 has it: ``application/problem+json``.

Set per view, because REST_FRAMEWORK belongs to the project. What was sent is never quoted.
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

_LONGEST_INSTANCE = 500
_MOST_MISTAKES = 20


class Mistake(NamedTuple):
    """What is wrong with one value of a request."""

    name: str
    """Of the parameter; of a value within another, after a dot: ``criteria.since``."""
    detail: str


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer to an error of REST framework's or Django's; None for every other."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, exceptions.UnsupportedMediaType):
        error = exceptions.UnsupportedMediaType("", "Expected a body of application/json.")
    if not isinstance(error, exceptions.APIException):
        return None
    # Unlike REST framework's own handler, this one rolls nothing back: what surrounds us, if
    # anything does, is not ours to undo.
    return Response(
        problem(error, context["request"]), status=error.status_code, headers=_headers(error)
    )


def problem(error: exceptions.APIException, request: Request) -> dict[str, Any]:
    """The problem details of an error."""
    mistakes = list(islice(_mistakes(error.detail), _MOST_MISTAKES))
    told = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": " ".join(_sentence(mistake) for mistake in mistakes),
    }
    path = escape_uri_path(request.path)
    if len(path) <= _LONGEST_INSTANCE:
        told["instance"] = path
    if error.status_code == HTTPStatus.BAD_REQUEST:
        told["errors"] = [mistake._asdict() for mistake in mistakes if mistake.name]
    return told


def wrong(name: str, detail: str) -> exceptions.ValidationError:
    """The error for a value that was not what was expected."""
    return exceptions.ValidationError({name: [detail]})


def wrong_form(form: Any) -> exceptions.ValidationError:
    """The error for what a form found."""
    return exceptions.ValidationError({name: list(told) for name, told in form.errors.items()})


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
