"""``events/``: what happened in SuperOffice, and which receivers were called for it."""

from ..models import Event
from ..replay.criteria import offered
from .filters import EventFilterSet
from .rows import Detail, List
from .serializers.events import EventDetailSerializer, EventSerializer


class EventList(List):
    """Events in the order of receipt, the newest first.

    A page searches up to 10 000 events, so it may be short, or empty, while there is a `next`.
    """

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilterSet
    repeatable = tuple(row.key for row in offered("api") if row.many)


class EventDetail(Detail):
    """One event: what was sent, which fields changed, and its receiver runs."""

    queryset = Event.objects.all()
    serializer_class = EventDetailSerializer
