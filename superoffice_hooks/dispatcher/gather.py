"""Dispatching a gathering in a lane: alone, if its process has died before."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..dispatching.gathered import GatheredCall
from ..models import Event, Gathering, steps

if TYPE_CHECKING:
    from .lane import Lane
    from .lanes import Lanes

AGAIN_SECONDS = 5.0
"""After how long an attempt that could not be made alone is tried again."""


def gather(lanes: "Lanes", lane: "Lane", gathering: Gathering) -> None:
    """Make an attempt at a claimed gathering in a lane."""
    lane.rows = [gathering]
    started, claim = time.monotonic(), gathering.claim
    call = GatheredCall(gathering, lane.alone if gathering.alone else lane.surroundings)
    try:
        with lanes.gate.inside(lane.calling, alone=gathering.alone) as is_inside:
            if not is_inside:
                steps.postpone(gathering, AGAIN_SECONDS, alone=True).apply()
                return
            call.make()
    except Exception:
        gathering.claim = claim
        lane.unreturned.append(gathering)
        raise
    finally:
        lane.rows = ()
    lanes.called(call.outcomes, time.monotonic() - started)


def count(outcomes: Counter[str], finished: Mapping[str, Sequence[int]]) -> None:
    """Count the events of a gathering that were finished; they do not wait any more."""
    for status, events in finished.items():
        outcomes[status] += len(events)
        waiting = outcomes[Event.Status.WAITING] - len(events)
        outcomes[Event.Status.WAITING] = max(waiting, 0)
