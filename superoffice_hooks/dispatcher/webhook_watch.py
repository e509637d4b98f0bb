"""Looking at the webhooks at SuperOffice now and then, in a thread of its own.

SuperOffice's API may take a minute to answer. No lane waits for it.
"""

import threading
import time
from collections.abc import Callable

from django.db import connections
from django.utils.module_loading import import_string

from .. import conf, superoffice_api
from ..wire.logs import get_logger

logger = get_logger(__name__)

# By name, because the extra need not be installed.
_WATCH_DUE = "superoffice_hooks.subscribing.watching.watch_due"
_PARTS = 10


class WebhookWatch:
    """Looks at the webhooks of WEBHOOKS every WATCH_EVERY seconds, one process at a time.

    Args:
        watch_due: the dotted path of the function that looks at those whose turn it is.
        parts: the number of parts of WATCH_EVERY: it is called after each.
    """

    def __init__(self, watch_due: str = _WATCH_DUE, parts: float = _PARTS) -> None:
        self._watch_due = watch_due
        self._parts = parts
        self._next = 0.0
        self._thread: threading.Thread | None = None

    def take_turn(self) -> None:
        """Begin a look if it may be time for one; never waits, never raises."""
        seconds = conf.current().WATCH_EVERY
        if not seconds or time.monotonic() < self._next or not superoffice_api.is_installed():
            return
        self._next = time.monotonic() + seconds / self._parts
        if self._thread is None or not self._thread.is_alive():
            # A daemon: the end of the process waits for no answer of SuperOffice.
            self._thread = threading.Thread(
                target=_look,
                args=[self._watch_due, seconds],
                name="superoffice_hooks watch",
                daemon=True,
            )
            self._thread.start()


def _look(path: str, seconds: float) -> None:
    try:
        watch_due: Callable[[float], None] = import_string(path)
        watch_due(seconds)
    except Exception:
        logger.exception("Unexpected error while looking at the webhooks; the next look comes")
    finally:
        connections.close_all()
