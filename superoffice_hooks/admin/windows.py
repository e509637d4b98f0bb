"""The window of a page: how a person chooses it, and links to its rows."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import times
from ..replay.criteria import Criteria
from ..reports.windows import FRIDAY, HOURS_OF, MAX_DAYS, Window
from . import display
from .readonly import ReadOnlyAdmin

DEFAULT = "48h"
NAMES = {
    "24h": _("24 hours"),
    "48h": _("48 hours"),
    FRIDAY: _("Since Friday 18:00"),
    "7d": _("7 days"),
    "30d": _("30 days"),
}
NAME, SINCE, UNTIL = "window", "since", "until"


def read_times(texts: Mapping[str, str]) -> tuple[dict[str, datetime | None], list[str]]:
    """Return the times that a person typed, and what is wrong with them, in words for that person.

    They are aware or naive as USE_TZ says; None if nothing was typed, or no time.
    """
    typed = dict[str, datetime | None].fromkeys(texts)
    problems = []
    for key, text in texts.items():
        try:
            typed[key] = times.read(text) if text else None
        except ValueError:
            words = gettext("%(text)s is not a date and time such as 2026-05-19T14:30.")
            problems.append(words % {"text": text[:50]})
    return typed, problems


class WindowLink(NamedTuple):
    """A window to choose."""

    words: Any
    query: str
    is_chosen: bool


class ChosenWindow:
    """The window that a request asks for: by its name, or from one time to another."""

    def __init__(self, request: HttpRequest) -> None:
        self.typed = {key: request.GET.get(key, "").strip() for key in (SINCE, UNTIL)}
        typed, problems = read_times(self.typed)
        since, until = typed.values()
        self.problem = "".join(problems[:1])
        """What is wrong with the request, in words; then the window is the default."""
        self.name = request.GET.get(NAME, DEFAULT)
        if self.name not in HOURS_OF:
            self.name = DEFAULT
        if since and not self.problem:
            self.name = ""
            self.window = Window.between(since, until)
            self._check(since)
        else:
            self.window = Window.named(self.name)

    @property
    def query(self) -> str:
        """Return the query string that asks for the same window."""
        if self.name:
            return urlencode({NAME: self.name})
        return urlencode({key: value for key, value in self.typed.items() if value})

    def context(self) -> dict[str, Any]:
        """Return what ``windows.html`` needs."""
        return {
            "windows": [
                WindowLink(words, urlencode({NAME: name}), name == self.name)
                for name, words in NAMES.items()
            ],
            "window_typed": self.typed,
            "window_problem": self.problem,
            "window_query": self.query,
            "window_words": gettext("From %(since)s to %(until)s.")
            % {"since": display.at(self.window.since), "until": display.at(self.window.until)},
        }

    def _check(self, since: datetime) -> None:
        if since >= timezone.now() or self.window.since == self.window.until:
            self.problem = gettext("This time has not come yet, or ends before it begins.")
        elif self.window.since > since:
            self.problem = gettext("No more than %(days)d days are counted.") % {"days": MAX_DAYS}


class Links:
    """Links to lists of exactly those rows that were counted."""

    def __init__(self, admin: ReadOnlyAdmin[Any], window: Window) -> None:
        self.admin = admin
        self.window = window
        self.received = received(window.since, window.until)

    def events(self, **filters: str) -> str:
        """Return the URL of the events that pass these filters; empty if there is no list."""
        return self.rows("event", **filters)

    def of_window(self, **filters: str) -> str:
        """Return the URL of the events of the window that pass these filters."""
        return self.rows("event", **filters, **self.received)

    def replay(self, **criteria: Any) -> str:
        """Return the URL of the page that replays the events of the window that meet criteria."""
        url = self.admin.url("event_replay")
        since, until = self.window
        selected = json.dumps(Criteria(since=since, until=until, **criteria).as_json())
        return url and f"{url}?{urlencode({'criteria': selected})}"

    def rows(self, model: str, **filters: str) -> str:
        """Return the URL of the rows of a model that pass these filters."""
        url = self.admin.url(f"{model}_changelist")
        return url and f"{url}?{urlencode(filters)}"


def received(since: datetime, until: datetime) -> dict[str, str]:
    """Return the filters of a list by the time of receipt."""
    return {"received_at__gte": since.isoformat(), "received_at__lt": until.isoformat()}
