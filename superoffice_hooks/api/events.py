"""``events/``: what happened in SuperOffice, and what our receivers made of it."""

from ..models import Event
from .filters import EventFilterSet
from .rows import Detail, List
from .serializers import EventDetailSerializer, EventSerializer


class EventList(List):
    """Events in the order of receipt, the newest first.

    A page looks through 10 000 events at most, so it may be short, or empty, while `next` is there.
    """

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilterSet
    repeatable = ("changed", "changed_all")


class EventDetail(Detail):
    """One event: what was sent, which fields changed, and what its receivers made of it."""

    queryset = Event.objects.all()
    serializer_class = EventDetailSerializer
