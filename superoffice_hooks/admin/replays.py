"""Replays in the admin: their list, and the page of one."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event, Replay
from ..models.replay_queryset import ReplayQuerySet
from ..replay.options import OPTIONS
from . import display
from .criteria import in_words, list_query
from .readonly import ReadOnlyAdmin, may_replay
from .replay_progress import cancel, show, state
from .runs import of_replay

NEWEST = 200
"""The number of runs on the page of a replay."""


class StateFilter(admin.SimpleListFilter):
    """By state, as the overview counts replays."""

    title = _("state")
    parameter_name = "state"
    UNFINISHED, FAILED = "replays", "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return (
            (self.UNFINISHED, _("waiting or running")),
            (Replay.State.STALLED, Replay.State.STALLED.label),
            (self.FAILED, _("finished, some failed")),
            (Replay.State.FINISHED, _("finished, none failed")),
            (Replay.State.CANCELLED, Replay.State.CANCELLED.label),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Replay]) -> QuerySet[Replay]:
        replays = cast("ReplayQuerySet", queryset)
        match self.value():
            case self.UNFINISHED:
                return replays.unfinished()
            case Replay.State.STALLED:
                return replays.stalled()
            case self.FAILED:
                return replays.finished().filter(failed__gt=0)
            case Replay.State.FINISHED:
                return replays.finished().filter(failed=0)
            case Replay.State.CANCELLED:
                return replays.cancelled()
        return queryset


class ReplayAdmin(ReadOnlyAdmin[Replay]):
    """Who replayed which events, for what reason, and the result."""

    list_display = (
        "created",
        "state_word",
        "who",
        "short_reason",
        "done_of",
        "finished",
    )
    list_filter = (StateFilter, "created_at")
    list_defer = ("criteria", "receivers")
    search_fields = ("who", "reason")
    fields = (
        "created",
        "state_word",
        "who",
        "reason",
        "criteria_shown",
        "receivers_shown",
        ("planned", "done", "failed", "skipped", "busy", "remaining"),
        "finished",
        "cancelled_by",
    )

    created = display.time_column("created_at", _("created"))
    finished = display.time_column("finished_at", _("finished"))

    def get_urls(self) -> list[URLPattern]:
        return [
            self.page("<int:pk>/progress/", show, self.has_progress_permission, methods=["GET"]),
            self.page("<int:pk>/cancel/", cancel, may_replay, methods=["POST"]),
            *super().get_urls(),
        ]

    def has_progress_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may see how far a replay is."""
        return self.has_view_permission(request) or may_replay(request)

    def page_context(self, request: HttpRequest, replay: Replay) -> dict[str, Any]:
        """Return the newest runs, those that failed first."""
        # "failed" is the first outcome in the alphabet.
        runs = replay.runs.select_related("event").defer("event__payload", "event__body")
        visible = self.visible(request, Event)
        if visible is not None:
            runs = runs.filter(event__in=visible.order_by().values("pk"))
        return {
            "runs": list(map(of_replay, runs.order_by("outcome", "-pk")[:NEWEST])),
            "newest": NEWEST,
            "may_cancel": may_replay(request) and not replay.finished_at,
            "list_query": list_query(replay.criteria),
        }

    @admin.display(description=_("reason"))
    def short_reason(self, replay: Replay) -> str:
        """Return the first words of the reason."""
        return display.line(replay.reason, 80)

    @admin.display(description=_("state"))
    def state_word(self, replay: Replay) -> SafeString:
        return state(replay)

    @admin.display(description=_("done"), ordering="done")
    def done_of(self, replay: Replay) -> str:
        """Return how many events are done of those planned, and how many failed."""
        counts = {"done": replay.done, "planned": replay.planned, "failed": replay.failed}
        if replay.failed:
            return gettext("%(done)d of %(planned)d, %(failed)d failed") % counts
        return gettext("%(done)d of %(planned)d") % counts

    @admin.display(description=_("remaining"))
    def remaining(self, replay: Replay) -> int:
        """Return how many events are to go, or were when it was cancelled."""
        return replay.remaining

    @admin.display(description=_("criteria"))
    def criteria_shown(self, replay: Replay) -> SafeString:
        return display.lines(in_words(replay.criteria))

    @admin.display(description=_("receivers"))
    def receivers_shown(self, replay: Replay) -> str:
        """Return the receivers that are to be called."""
        paths = gettext("all") if replay.receivers is None else display.lines(replay.receivers)
        flags = [str(option.label) for option in OPTIONS if getattr(replay, option.name)]
        return format_html("{} <div>{}</div>", paths, display.lines(flags)) if flags else paths
