"""Rows as JSON. Their names are those of the filters: ``event``, ``webhook``, ``own``."""

from .events import EventDetailSerializer, EventSerializer
from .failure_groups import (
    FailureGroupDetailSerializer,
    FailureGroupSerializer,
    HandledSerializer,
    MuteSerializer,
    StateSerializer,
)
from .figures import CountedSerializer, StatusSerializer
from .rejections import RejectionDetailSerializer, RejectionSerializer
from .replays import (
    EventReplaySerializer,
    NewReplaySerializer,
    NothingSerializer,
    PreviewSerializer,
    ReplayDetailSerializer,
    ReplaySerializer,
)
from .rows import RowSerializer
from .webhooks import (
    WebhookActionSerializer,
    WebhookDetailSerializer,
    WebhookListSerializer,
)

__all__ = [
    "CountedSerializer",
    "EventDetailSerializer",
    "EventReplaySerializer",
    "EventSerializer",
    "FailureGroupDetailSerializer",
    "FailureGroupSerializer",
    "HandledSerializer",
    "MuteSerializer",
    "NewReplaySerializer",
    "NothingSerializer",
    "PreviewSerializer",
    "RejectionDetailSerializer",
    "RejectionSerializer",
    "ReplayDetailSerializer",
    "ReplaySerializer",
    "RowSerializer",
    "StateSerializer",
    "StatusSerializer",
    "WebhookActionSerializer",
    "WebhookDetailSerializer",
    "WebhookListSerializer",
]
