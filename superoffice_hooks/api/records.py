"""``records/{tenant}/{entity}/{primary_key}/``: all that happened to one record."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Event
from ..models.event_queryset import EventQuerySet
from ..models.paging import pages
from ..models.paging.pages import Listing, Place, page_of
from ..replay.value_kinds import Number
from ..wire.values import storable_text
from .problems import wrong
from .rows import FIELDS, Pages
from .serializers.events import EventSerializer

NO_TENANT = "-"
"""Stands in a path for records of no tenant."""


class Record(Pages):
    """The timeline of a record: its events in the order in which they occurred, newest first.

    A record with more than 10 000 events has them in the order of receipt.
    """

    queryset = Event.objects.all()
    serializer_class = EventSerializer

    @extend_schema(
        parameters=[
            FIELDS,
            OpenApiParameter(
                "tenant",
                OpenApiTypes.STR,
                OpenApiParameter.PATH,
                description="The ContextIdentifier; `-` for events without one.",
            ),
            OpenApiParameter("entity", OpenApiTypes.STR, OpenApiParameter.PATH),
            OpenApiParameter("primary_key", OpenApiTypes.INT64, OpenApiParameter.PATH),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.chosen()
        occurred = self.occurred()
        if occurred is None:
            return self.paged(self.listing())
        pages = self.paginator
        pages.begin(request, number_of_times=2)
        return self.answer(page_of(occurred, pages.place, older=pages.older, size=pages.size))

    def listing(self) -> Listing:
        return Listing(Event.objects.all(), self.events())

    def occurred(self) -> list[Place] | None:
        """Return the place of each event of the record; None if there are too many to sort."""
        if self._is_crowded():
            return None
        rows = self.events().values_list("occurred_at", "received_at", "pk")
        return [Place((occurred or received, received), pk) for occurred, received, pk in rows]

    def events(self) -> EventQuerySet:
        """Return the events of the record, in no order."""
        tenant = storable_text(self.kwargs["tenant"])
        if tenant == NO_TENANT:
            tenant = ""
        return self._of_every_tenant().filter(tenant=tenant).order_by()

    def _is_crowded(self) -> bool:
        """Return whether too many events have this number to sort them."""
        rows = self._of_every_tenant().order_by("primary_key", "entity").values("primary_key")
        return rows[: pages.MAX_ROWS + 1].count() > pages.MAX_ROWS

    def _of_every_tenant(self) -> EventQuerySet:
        """Return the events of the records with this number in every tenant."""
        try:
            primary_key = Number().parse(self.kwargs["primary_key"])
        except ValueError:
            raise wrong("primary_key", "Expected a whole number of at most 64 bits.") from None
        entity = storable_text(self.kwargs["entity"]).lower()
        return Event.objects.filter(primary_key=primary_key, entity=entity)
