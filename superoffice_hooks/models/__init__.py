"""The rows: events and other deliveries, their changed fields, and the calls of receivers."""

from . import wide_columns  # noqa: F401  (connects itself to the end of a migration)
from .changed_fields import ChangedField, ChangeSet
from .delivery import Redelivery, Rejection
from .dispatcher import Dispatcher
from .event import Event
from .failure_group import FailureGroup
from .gathering import Gathering
from .handling import Handling
from .replay import Replay
from .run import ReceiverRun
from .watch import Watch

__all__ = [
    "ChangeSet",
    "ChangedField",
    "Dispatcher",
    "Event",
    "FailureGroup",
    "Gathering",
    "Handling",
    "ReceiverRun",
    "Redelivery",
    "Rejection",
    "Replay",
    "Watch",
]
