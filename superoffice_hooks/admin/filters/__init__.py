"""The filters of the event list.

Each offers what was really sent, for the vocabulary of events is open, and finds its choices
without reading more than the newest events or the small tables.
"""

from .columns import (
    EndpointFilter,
    EntityFilter,
    NameFilter,
    OwnFilter,
    StatusFilter,
    TenantFilter,
    WebhookFilter,
)
from .received import ReceivedFilter
from .related import ChangedFieldFilter, ReceiverFilter

__all__ = [
    "ChangedFieldFilter",
    "EndpointFilter",
    "EntityFilter",
    "NameFilter",
    "OwnFilter",
    "ReceivedFilter",
    "ReceiverFilter",
    "StatusFilter",
    "TenantFilter",
    "WebhookFilter",
]
