"""Watching: what came in lately, what waits, what fails; plain values for whoever shows them.

People look while something is wrong, and looking must not make it worse. So each figure is bounded,
by its hours or by a number of rows, and read through the index named with it.
"""

from .lately import (
    HOURS,
    MOST_LISTS,
    Failures,
    Field,
    Hour,
    Name,
    Refusals,
    Window,
    changed_fields,
    events_by_hour,
    events_by_name,
    failures,
    rejections,
    totals,
)
from .now import (
    MOST_PENDING,
    MOST_STANDING,
    OVERDUE_SECONDS,
    Dispatching,
    Endpoint,
    Pending,
    Standing,
    dispatching,
    dispatching_problems,
    endpoints,
    pending,
    standings,
)
from .stages import Stage, stage

__all__ = [
    "HOURS",
    "MOST_LISTS",
    "MOST_PENDING",
    "MOST_STANDING",
    "OVERDUE_SECONDS",
    "Dispatching",
    "Endpoint",
    "Failures",
    "Field",
    "Hour",
    "Name",
    "Pending",
    "Refusals",
    "Stage",
    "Standing",
    "Window",
    "changed_fields",
    "dispatching",
    "dispatching_problems",
    "endpoints",
    "events_by_hour",
    "events_by_name",
    "failures",
    "pending",
    "rejections",
    "stage",
    "standings",
    "totals",
]
