"""The filter by when an event was received."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import Event
from ...models.event_queryset import EventQuerySet
from ..look_back import EventFilter
from ..windows import read_times
from .typed import others

PRESETS = {
    "hour": (_("Last hour"), timedelta(hours=1)),
    "day": (_("Last 24 hours"), timedelta(days=1)),
    "week": (_("Last 7 days"), timedelta(days=7)),
    "month": (_("Last 30 days"), timedelta(days=30)),
}


class ReceivedFilter(EventFilter, admin.ListFilter):
    """The last hour, day, week, month, or a range that is typed, in the current time zone."""

    title = _("received")
    template = "admin/superoffice_hooks/event/received_filter.html"
    PRESET = "received"
    parameter_name = PRESET
    """As simple filters have it: django-unfold reads it of every filter."""
    SINCE = "received_at__gte"
    UNTIL = "received_at__lt"

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type[Event], admin: Any
    ) -> None:
        super().__init__(request, params, model, admin)
        own = (self.PRESET, self.SINCE, self.UNTIL)
        self.texts = {key: params.pop(key)[-1].strip() for key in own if key in params}
        typed = {key: self.texts.get(key, "") for key in (self.SINCE, self.UNTIL)}
        self.typed, self.problems = read_times(typed)
        """The times, and what is wrong with them. If anything is, no event is shown."""
        since = (self._preset(), self.typed[self.SINCE])
        self.since = max(filter(None, since), default=None)
        self.until = self.typed[self.UNTIL]

    @property
    def is_on(self) -> bool:
        return any(self.texts.values())

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.PRESET, self.SINCE, self.UNTIL]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if self.problems:
            return queryset.none()
        return cast("EventQuerySet", queryset).received_between(self.since, self.until)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        # Django removes each parameter that begins with this name: all three do.
        own = [self.PRESET]
        yield {
            "presets": [
                (
                    words,
                    changelist.get_query_string({self.PRESET: key}, remove=own),
                    self.texts.get(self.PRESET) == key,
                )
                for key, (words, _ago) in PRESETS.items()
            ],
            "without": changelist.get_query_string(remove=own),
            "is_on": self.is_on,
            "since": self._as_input(self.SINCE),
            "until": self._as_input(self.UNTIL),
            "others": others(changelist, self.PRESET, self.SINCE, self.UNTIL),
        }

    def _preset(self) -> datetime | None:
        key = self.texts.get(self.PRESET)
        if not key:
            return None
        if key not in PRESETS:
            self.problems.append(gettext("There is no such time: %(text)s") % {"text": key[:50]})
            return None
        return timezone.now() - PRESETS[key][1]

    def _as_input(self, key: str) -> str:
        """Return the value of an input for local times; the text itself if it is no time."""
        time = self.typed[key]
        if time is None:
            return self.texts.get(key, "")
        if timezone.is_aware(time):
            time = timezone.make_naive(time)
        finest = "milliseconds" if time.microsecond else "seconds" if time.second else "minutes"
        return time.isoformat(timespec=finest)
