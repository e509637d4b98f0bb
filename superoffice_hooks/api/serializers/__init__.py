"""Rows as JSON. Public names are those of the filters: ``event``, ``webhook``, ``own``."""

from .events import EventDetailSerializer, EventSerializer
from .rejections import RejectionDetailSerializer, RejectionSerializer
from .rows import RowSerializer

__all__ = [
    "EventDetailSerializer",
    "EventSerializer",
    "RejectionDetailSerializer",
    "RejectionSerializer",
    "RowSerializer",
]
