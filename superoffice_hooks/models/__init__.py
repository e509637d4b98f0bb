"""The rows: what arrived, which fields it says changed, and what came of it."""

from .changes import ChangedField, ChangeSet
from .delivery import Redelivery, Rejection
from .dispatcher import Dispatcher
from .event import Event
from .replay import Replay
from .run import ReceiverRun

__all__ = [
    "ChangeSet",
    "ChangedField",
    "Dispatcher",
    "Event",
    "ReceiverRun",
    "Redelivery",
    "Rejection",
    "Replay",
]
