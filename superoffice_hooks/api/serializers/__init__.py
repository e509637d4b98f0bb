"""Rows as JSON. Public names are those of the filters: ``event``, ``webhook``, ``own``."""

from .events import EventDetailSerializer, EventSerializer
from .figures import CountedSerializer, StatusSerializer
from .rejections import RejectionDetailSerializer, RejectionSerializer
from .replays import (
    EventReplaySerializer,
    NewReplaySerializer,
    NothingSerializer,
    PlanSerializer,
    ReplayDetailSerializer,
    ReplaySerializer,
)
from .rows import RowSerializer

__all__ = [
    "CountedSerializer",
    "EventDetailSerializer",
    "EventReplaySerializer",
    "EventSerializer",
    "NewReplaySerializer",
    "NothingSerializer",
    "PlanSerializer",
    "RejectionDetailSerializer",
    "RejectionSerializer",
    "ReplayDetailSerializer",
    "ReplaySerializer",
    "RowSerializer",
    "StatusSerializer",
]
