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

from ... import moments
from ...models import Event
from ...models.event import EventQuerySet
from ..reach import Reaching
from .typed import others

PRESETS = {
    "hour": (_("Last hour"), timedelta(hours=1)),
    "day": (_("Last 24 hours"), timedelta(days=1)),
    "week": (_("Last 7 days"), timedelta(days=7)),
    "month": (_("Last 30 days"), timedelta(days=30)),
}


class ReceivedFilter(Reaching, admin.ListFilter):
    """The last hour, day, week, month, or a range that is typed, in the current time zone."""

    title = _("received")
    template = "admin/superoffice_hooks/event/received_filter.html"
    PRESET = "received"
    SINCE = "received_at__gte"
    UNTIL = "received_at__lt"

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type[Event], admin: Any
    ) -> None:
        super().__init__(request, params, model, admin)
        own = (self.PRESET, self.SINCE, self.UNTIL)
        self.asked = {key: params.pop(key)[-1].strip() for key in own if key in params}
        self.problems: list[str] = []
        """What is wrong with what was asked for, in words; then no event is shown."""
        self.typed = {key: self._moment(self.asked.get(key)) for key in (self.SINCE, self.UNTIL)}
        since = (self._preset(), self.typed[self.SINCE])
        self.since = max((moment for moment in since if moment), default=None)
        self.until = self.typed[self.UNTIL]

    @property
    def is_on(self) -> bool:
        return any(self.asked.values())

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.PRESET, self.SINCE, self.UNTIL]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if self.problems:
            return queryset.none()
        return cast("EventQuerySet", queryset).received_between(self.since, self.until)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        # Removes what begins so, and all three do.
        own = [self.PRESET]
        yield {
            "presets": [
                (
                    words,
                    changelist.get_query_string({self.PRESET: key}, remove=own),
                    self.asked.get(self.PRESET) == key,
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
        key = self.asked.get(self.PRESET)
        if not key:
            return None
        if key not in PRESETS:
            self.problems.append(gettext("There is no such time: %(given)s") % {"given": key[:50]})
            return None
        return timezone.now() - PRESETS[key][1]

    def _moment(self, text: str | None) -> datetime | None:
        """A point in time, as the project's USE_TZ wants it."""
        if not text:
            return None
        try:
            return moments.read(text)
        except ValueError:
            words = gettext("%(given)s is no date and time, as 2026-05-19T14:30 would be.")
            self.problems.append(words % {"given": text[:50]})
            return None

    def _as_input(self, key: str) -> str:
        """The value as an input for local times takes it; the text itself if it is none."""
        moment = self.typed[key]
        if moment is None:
            return self.asked.get(key, "")
        if timezone.is_aware(moment):
            moment = timezone.make_naive(moment)
        finest = "milliseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
        return moment.isoformat(timespec=finest)
