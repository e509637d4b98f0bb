"""Who replayed what, why, and what came out."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Replay
from . import showing
from .criteria import in_words, list_query
from .progress import Progressing, may_replay
from .readonly import ReadOnlyAdmin

NEWEST = 200
"""So many runs are shown on the page of a replay."""


class ReplayAdmin(Progressing, ReadOnlyAdmin[Replay]):
    """One row for each replay, from whichever door."""

    list_display = (
        "created",
        "state_word",
        "who",
        "reason",
        "planned",
        "done",
        "failed",
        "remaining",
        "finished",
    )
    list_filter = ("created_at",)
    list_defer = ("criteria", "receivers")
    search_fields = ("who", "why")
    fields = (
        "created",
        "state_word",
        "who",
        "why",
        "criteria_given",
        "receivers_given",
        ("planned", "done", "failed", "skipped", "busy", "remaining"),
        "finished",
        "cancelled_by",
    )

    created = showing.moment("created_at", _("created"))
    finished = showing.moment("finished_at", _("finished"))

    def page_context(self, request: HttpRequest, replay: Replay) -> dict[str, Any]:
        """The runs: failed ones first, as the alphabet has it."""
        runs = replay.runs.select_related("event").defer("event__payload", "event__body")
        return {
            "runs": runs.order_by("outcome", "-pk")[:NEWEST],
            "newest": NEWEST,
            "may_cancel": may_replay(request) and not replay.finished_at,
            "list_query": list_query(replay.criteria),
        }

    @admin.display(description=_("why"))
    def reason(self, replay: Replay) -> str:
        """The first words of why."""
        return Truncator(replay.why).chars(80)

    @admin.display(description=_("state"))
    def state_word(self, replay: Replay) -> SafeString:
        return showing.status(replay.state, str(replay.state.label))

    @admin.display(description=_("remaining"))
    def remaining(self, replay: Replay) -> int:
        """How many events are left; none after the end, whatever was not done."""
        return 0 if replay.finished_at else replay.remaining

    @admin.display(description=_("criteria"))
    def criteria_given(self, replay: Replay) -> SafeString:
        return showing.lines(in_words(replay.criteria))

    @admin.display(description=_("receivers"))
    def receivers_given(self, replay: Replay) -> str:
        """Which receivers were asked for."""
        asked = showing.lines(replay.receivers) or gettext("all")
        if not replay.only_failed:
            return asked
        only = gettext("only those whose last run for the event was no success")
        return format_html("{} <div>{}</div>", asked, only)
