"""Rows as JSON. Public names are those of the filters: ``event``, ``webhook``, ``own``."""

from .events import EventDetailSerializer, EventSerializer
from .figures import CountedSerializer, StatusSerializer
from .rejections import RejectionDetailSerializer, RejectionSerializer
from .rows import RowSerializer

__all__ = [
    "CountedSerializer",
    "EventDetailSerializer",
    "EventSerializer",
    "RejectionDetailSerializer",
    "RejectionSerializer",
    "RowSerializer",
    "StatusSerializer",
]
