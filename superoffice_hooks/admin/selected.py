"""The events that a person selected one by one, up to ``max_selected``."""

import re

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext

from ..models import Event
from .readonly import ReadOnlyAdmin

_IDS = re.compile(r"[0-9]{1,18}(,[0-9]{1,18})*")


def read_ids(text: str) -> list[int]:
    """Return the primary keys in a form or a link, between commas; none if the text is no list."""
    return [int(key) for key in text.split(",")] if _IDS.fullmatch(text) else []


def keys_of(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, events: QuerySet[Event]
) -> list[int] | None:
    """Return the primary keys of selected events; None if they are too many, and say so."""
    keys = list(events.order_by("pk").values_list("pk", flat=True)[: admin.max_selected + 1])
    return None if is_too_many(admin, request, keys) else keys


def is_too_many(admin: ReadOnlyAdmin[Event], request: HttpRequest, keys: list[int]) -> bool:
    """Return whether too many events are selected, and say so to the user."""
    if len(keys) <= admin.max_selected:
        return False
    message = gettext("Please select %(max)d events at most: narrow the list down first.")
    admin.message_user(request, message % {"max": admin.max_selected}, messages.ERROR)
    return True
