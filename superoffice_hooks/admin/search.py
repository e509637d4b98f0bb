"""What the search box of the event list finds."""

import re
from uuid import UUID

from django.db.models import QuerySet

from ..models import Event
from ..reaching import few

# No more digits than a 64-bit number has, and no entity has a space in its name.
_RECORD = re.compile(r"(?:(?P<entity>\S+)\s+)?(?P<primary_key>-?[0-9]{1,19})", re.ASCII)


def search(events: QuerySet[Event], term: str) -> tuple[QuerySet[Event], bool]:
    """The events a term means, and whether they are few, found by an index of their own.

    An EventId; the number of a record, with or without its entity; or else how the name of a
    webhook begins, for which no index is worth its keep.
    """
    term = term.strip()
    if not term:
        return events, False
    try:
        return events.filter(event_id=UUID(term)), True
    except ValueError:
        pass
    if asked := _RECORD.fullmatch(term):
        of_record: dict[str, int | str] = {"primary_key": int(asked["primary_key"])}
        if asked["entity"]:
            of_record["entity"] = asked["entity"].lower()
        rows = Event.objects.using(events.db).filter(**of_record)
        keys = few(rows.order_by("primary_key", "entity"))
        if keys is None:
            return events.filter(**of_record), False
        if keys:
            return events.filter(pk__in=keys), True
    return events.filter(webhook_name__istartswith=term), False
