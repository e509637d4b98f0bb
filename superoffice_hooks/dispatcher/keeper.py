"""The keeper of a process: it looks after the lanes."""

import time

from django.db import connections

from ..dispatching import watching
from ..models import queue
from ..models.dispatcher import SEEN_EVERY_SECONDS
from .lanes import Lanes

_WAIT_MILLISECONDS = 1000
"""How long a renewal waits for the lock of SQLite, which a receiver's transaction may hold."""


class Keeper(watching.Keeper):
    """Also replaces lanes that are stuck, and notes that the loop lives."""

    def __init__(self, lanes: Lanes) -> None:
        super().__init__(lambda: [lane.calling for lane in list(lanes.lanes)], self._renew_claims)
        self._lanes = lanes
        self._seen_at = time.monotonic()

    def look(self) -> None:
        """Replace lanes that ended or are stuck, renew the claims, note that the loop lives."""
        if not (self._lanes.is_stopping or self._lanes.ends_when_idle):
            self._lanes.start()
        lanes = list(self._lanes.lanes)
        self._lanes.row.hung = sum(lane.calling.is_hung for lane in lanes)
        if all(lane.calling.is_stuck for lane in lanes) and len(lanes) < 2 * self._lanes.count:
            self._lanes.add_lane()
        super().look()
        if time.monotonic() - self._seen_at > SEEN_EVERY_SECONDS:
            self._seen_at = time.monotonic()
            self._lanes.row.note_seen()

    def _renew_claims(self) -> bool:
        """Renew the claims; SQLite, which cannot skip locked rows, waits for up to a second."""
        claims = self._lanes.claims()
        if not claims:
            return True
        connection = connections[queue.using()]
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {_WAIT_MILLISECONDS}")
        renewed = [queue.renew(of, model) == len(of) for model, of in claims.items()]
        return all(renewed)
