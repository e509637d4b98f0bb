"""The door in front of a WSGI application."""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.handlers.wsgi import WSGIRequest, get_path_info, get_script_name
from django.core.signals import request_started
from django.urls import set_script_prefix

from .answering import Unread, Webhook


class WSGIDoor:
    """A WSGI application that answers the webhook, and hands the rest to another one."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._webhook = Webhook()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        match = self._webhook.at(get_path_info(environ))
        if match is None:
            return self._application(environ, start_response)
        set_script_prefix(get_script_name(environ))
        request_started.send(sender=type(self), environ=environ)
        request = Request(environ)
        response = self._webhook.answer(request, match, type(self))
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
        # The server closes it.
        return response


class Request(Unread, WSGIRequest):
    """A request of a WSGI server."""
