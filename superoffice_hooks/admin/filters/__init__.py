"""The filters of the event list.

Their choices are values that were really sent, since SuperOffice's vocabulary is open. They are
read from the newest events and from small tables.
"""

from .columns import (
    OTHERS,
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
    "OTHERS",
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
