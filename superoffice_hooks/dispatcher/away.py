"""What a dispatcher does about its connections, and while the database is away."""

import time

from django.db import connections

from ..models import sessions
from ..wire.logs import get_logger

logger = get_logger(__name__)

_SILENT_SECONDS = 60.0


class Away:
    """Logs that the database is away, once a minute while it is."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def note(self, error: BaseException) -> None:
        """Log it, if that was not done lately."""
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENT_SECONDS
            logger.warning("The database cannot be used now, and is tried again: %s", error)


def close_connections() -> None:
    """Close the connections of this thread, but for those that a test has a transaction on."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            sessions.close(connection)
