"""The keeper: a thread that looks after the lanes of its process, and calls no receiver."""

import threading
import time

from django.db import DatabaseError, connections

from .. import conf
from ..logs import get_logger
from ..models import queue
from ..models.dispatcher import SEEN_EVERY_SECONDS
from .lane import STUCK_SECONDS, Lane
from .lanes import Lanes

logger = get_logger(__name__)

_WAIT_MILLISECONDS = 1000
"""How long a renewal waits for the lock of SQLite, which a receiver's transaction may hold."""


class Keeper:
    """Renews claims, reports lanes that hang and replaces them, and says that the loop lives."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._ended = threading.Event()
        self._renewed_at = self._seen_at = time.monotonic()
        self._reported = set[Lane]()
        self._thread = threading.Thread(
            target=self._live, name="superoffice_hooks keeper", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()

    def _live(self) -> None:
        lease = conf.current().LEASE_SECONDS
        while not self._ended.wait(min(lease / 9, STUCK_SECONDS / 2)):
            try:
                self._look_after_lanes()
                self._speak_to_the_database(lease)
            except DatabaseError as error:
                logger.warning("Claims could not be renewed now: %s", error)
            except Exception:
                logger.exception("Unexpected error in the keeper of the lanes")
            finally:
                connections.close_all()

    def _look_after_lanes(self) -> None:
        """Report lanes that hang, and let others take their place."""
        lanes = list(self._lanes.lanes)
        for lane in lanes:
            if lane.is_hung and lane not in self._reported:
                self._reported.add(lane)
                logger.error(
                    "Receiver %s has been called for %d seconds and may hang. Its event can be"
                    " dispatched by others when its lease ends. CALL_SECONDS says how long a call"
                    " may take; give the receiver a time-out of its own.",
                    lane.stuck_in,
                    lane.called_for,
                )
        self._lanes.row.hung = sum(lane.is_hung for lane in lanes)
        if all(lane.stuck_in for lane in lanes) and len(lanes) < 2 * self._lanes.count:
            self._lanes.add_lane()

    def _speak_to_the_database(self, lease: float) -> None:
        """Renew claims after a third of their lease, on a connection that is closed after that."""
        now = time.monotonic()
        if now - self._renewed_at > lease / 3:
            self._renewed_at = now
            claims = self._lanes.claims()
            if claims and _renew(claims) < len(claims):
                # Some were locked.
                self._renewed_at = now - lease / 3 + lease / 9
        if now - self._seen_at > SEEN_EVERY_SECONDS:
            self._seen_at = now
            self._lanes.row.say()


def _renew(claims: dict[int, int | None]) -> int:
    """Renew claims; SQLite, which skips no row, waits for its lock for a second at most."""
    connection = connections[queue.using()]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_WAIT_MILLISECONDS}")
    return queue.renew(claims)
