"""What is left to do once an answer is on its way: the receivers of new events are called.

Both doors that make events need it, the webhook view and the admin.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, HttpResponseRedirect

from . import conf, receiving
from .dispatching import dispatch_now
from .logs import get_logger
from .models import Event

if TYPE_CHECKING:
    _Response = HttpResponse
else:
    _Response = object

logger = get_logger(__name__)

# More would keep this process from its next request for too long.
_SPOOLED_AT_ONCE = 20


class _Then(_Response):
    """Gives a response something left to do after it has been sent."""

    def __init__(self, *args: Any, then: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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


class ThenResponse(_Then, HttpResponse):
    """A response with something left to do after it has been sent."""


class ThenRedirect(_Then, HttpResponseRedirect):
    """A redirect with something left to do after it has been sent."""


def hand_over(events: Iterable[Event]) -> None:
    """See to it that the receivers are called; the spool's too, since the database answers now."""
    if not events:
        return
    for due in chain(events, receiving.drain(_SPOOLED_AT_ONCE)):
        match conf.current().DISPATCH:
            case "after_response":
                dispatch_now(due)
            case "task":
                # Imported here because django-tasks need not be installed.
                from .tasks import enqueue  # noqa: PLC0415

                enqueue(due)
