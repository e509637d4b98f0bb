"""How far the event list looks, so that no choice of filters makes it read millions of rows.

The list is in the order of receipt. Where an index has the events of a filter in that order, or of
all filters in force the best one, the list looks through the newest MOST of them and says how far
back that is; what is older is a click away. A filter that leaves few events in all names them, and
then the list is whole, however old they are.
"""

from datetime import datetime
from typing import ClassVar

from django.db.models import QuerySet

from .. import reaching
from ..models import Event


class Reaching:
    """What a filter of the event list tells of its index."""

    in_order: ClassVar[bool] = False
    """Whether an index has the events it leaves, and only them, in the order of receipt."""
    is_few = False
    """Whether it left no more than FEW events, found by an index of their own."""

    @property
    def is_on(self) -> bool:
        """Whether it is asked for."""
        raise NotImplementedError


def back_to(events: QuerySet[Event]) -> datetime | None:
    """When the MOST-th newest of these events was received; None if no more than MOST are there."""
    newest = events.order_by("-received_at").values_list("received_at", flat=True)
    last_and_next = list(newest[reaching.MOST - 1 : reaching.MOST + 1])
    return last_and_next[0] if len(last_and_next) == 2 else None
