"""The rows: what arrived, which fields it says changed, and what came of it."""

from .changes import ChangedField, ChangeSet
from .delivery import Redelivery, Rejection
from .event import Event
from .run import ReceiverRun, Replay

__all__ = [
    "ChangeSet",
    "ChangedField",
    "Event",
    "ReceiverRun",
    "Redelivery",
    "Rejection",
    "Replay",
]
