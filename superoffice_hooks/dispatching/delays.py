"""Delays: after how long something is tried again."""

import random
from collections.abc import Iterable

from .. import conf
from ..models import ReceiverRun

LONGEST_DELAY = 10 * 365 * 24 * 3600.0
"""No attempt is put off for longer, in seconds: databases end in the year 9999."""

BROKEN_OFF_SECONDS = 1.0
"""After how long an attempt is repeated that was broken off because the session was lost."""

HELD_SECONDS = 5.0
"""After how long an event is tried again whose receiver could not be called now."""


def delay(attempts: int, unsettled: Iterable[ReceiverRun]) -> float:
    """Return after how many seconds all unsettled receivers may be called again.

    Adds a little at random, so that events that failed together do not return together.
    """
    delays = conf.current().RETRY_DELAYS
    usual = delays[min(attempts, len(delays)) - 1]
    waits = (usual if run.retry_after is None else run.retry_after for run in unsettled)
    longest = max(waits, default=usual)
    # No secret: it only spreads the load.
    return min(longest * random.uniform(1, 1.1), LONGEST_DELAY)  # noqa: S311
