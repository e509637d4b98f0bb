"""How far back the event list looks: without an end, a filter could make it read millions of rows.

The list is in the order of receipt, and searches MAX_ROWS events, the newest first: those of the
filter whose index reaches furthest back, or all events. The page says how far back that is, and
links to the older events. Where an index finds no more than MAX_KEYS events, the list has them all.
"""

from datetime import datetime
from typing import ClassVar

from django.db.models import QuerySet

from ..models import Event
from ..models.paging import pages


class EventFilter:
    """A filter of the event list, and what its index can do."""

    in_order: ClassVar[bool] = False
    """Whether an index has exactly the events that pass, in the order of receipt."""
    is_narrow = False
    """Whether an index named the events that pass, because they are no more than MAX_KEYS."""

    @property
    def is_on(self) -> bool:
        """Return whether the filter is in use."""
        raise NotImplementedError


def back_to(events: QuerySet[Event]) -> datetime | None:
    """Return the receipt time of the last of MAX_ROWS events; None if there are no more."""
    newest = events.order_by("-received_at").values_list("received_at", flat=True)
    last_and_next = list(newest[pages.MAX_ROWS - 1 : pages.MAX_ROWS + 1])
    return last_and_next[0] if len(last_and_next) == 2 else None
