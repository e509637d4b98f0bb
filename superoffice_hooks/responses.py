"""Responses that doors have in common."""

import logging
from collections.abc import Callable

from django.http import HttpResponse

logger = logging.getLogger(__name__)


class ThenResponse(HttpResponse):
    """A response with something left to do after it has been sent."""

    def __init__(
        self, content: str, *, then: Callable[[], None], content_type: str = "text/plain"
    ) -> None:
        super().__init__(content, content_type=content_type)
        # Or the sender of a server that closes the connection would wait for what is left to do.
        self["Content-Length"] = str(len(self.content))
        self._then = then

    def close(self) -> None:
        """Called by the server once the response is on its way (PEP 3333, and Django's ASGI)."""
        try:
            self._then()
        except Exception:
            logger.exception("What was left to do after the answer was cut short")
        # Closes old database connections, so it has to come last.
        super().close()
