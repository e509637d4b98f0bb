"""Bringing stranded events back into the queue, a page of the waiting events at a time."""

import time

from ..models import stranded
from ..wire.logs import get_logger

logger = get_logger(__name__)

_AT_ONCE = 500
_EVERY_SECONDS = 60.0


class StrandedLook:
    """Looks at all waiting events once a minute, at some of them in each turn."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._at_once = at_once
        self._after: stranded.Place | None = None
        self._next = 0.0

    def take_turn(self) -> int:
        """Look at some if it is time to; return how many events were brought back."""
        if self._after is None:
            if time.monotonic() < self._next:
                return 0
            self._next = time.monotonic() + _EVERY_SECONDS
        events, self._after = stranded.look(self._after, self._at_once)
        brought = stranded.bring_back(events) if events else 0
        if brought:
            logger.warning(
                "%d events waited for gatherings that are gone, and are dispatched again", brought
            )
        return brought
