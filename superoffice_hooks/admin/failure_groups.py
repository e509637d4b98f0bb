"""Failure groups in the admin: what fails, for which cause, and what people said of it."""

import json
from functools import partial
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event, FailureGroup
from ..replay.criteria import Criteria
from ..reports import failure_groups
from ..reports.failure_groups import CountedGroup
from . import display, group_states, tracebacks
from .failed_receivers import cause
from .readonly import ReadOnlyAdmin
from .summary import RECORD, of_tenant

MAX_LISTED = 20
"""Events of a group that its page lists, the newest ones."""


class FailureGroupAdmin(ReadOnlyAdmin[FailureGroup]):
    """One row for each cause of failures."""

    list_display = (
        "state_word",
        "cause",
        "still",
        "first",
        "last",
    )
    list_display_links = ("state_word", "cause")
    list_filter = ("state", "last_seen")
    list_defer = ("reason",)
    search_fields = ("receiver", "exception", "frame", "error")
    search_help_text = _("A part of the receiver, the exception, the place in the code, the error")
    fields = (
        "receiver_path",
        "exception_name",
        "place",
        ("first", "last"),
        "state_word",
        "history",
    )

    class Media:
        css: ClassVar = {"all": ["superoffice_hooks/failure_groups.css"]}

    first = display.time_column("first_seen", _("first seen"))
    last = display.time_column("last_seen", _("last seen"))
    receiver_path = display.text_column("receiver", _("receiver"))
    exception_name = display.text_column("exception", _("exception"))

    def get_urls(self) -> list[URLPattern]:
        may_set, may_handle = self.has_triage_permission, self.has_replay_permission
        changes = [
            self.page(f"<int:pk>/{name}/", partial(group_states.change, change=change), may_set)
            for name, change in group_states.CHANGES.items()
        ]
        # Outside of a transaction, since many events are marked batch by batch.
        handle = self.page("<int:pk>/handle/", group_states.handle, may_handle, is_atomic=False)
        return [*changes, handle, *super().get_urls()]

    def has_triage_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may mute, resolve and reopen groups."""
        may = request.user.has_perm("superoffice_hooks.triage_failuregroup")
        return self.has_view_permission(request) and may

    def get_search_fields(self, request: HttpRequest) -> list[str] | tuple[str, ...]:
        """Return what a search looks at. The error may be that of an event that is hidden."""
        fields = super().get_search_fields(request)
        if self.visible(request, Event) is None:
            return fields
        return [field for field in fields if field != "error"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailureGroup]:
        """Return the groups of events that the user may see, with their numbers."""
        groups, visible = super().get_queryset(request), self.visible(request, Event)
        if visible is not None:
            # The error may be that of an event that is hidden.
            groups = failure_groups.known_by(groups, visible).defer("error")
        return failure_groups.counted(groups, visible)

    def page_context(self, request: HttpRequest, group: FailureGroup) -> dict[str, Any]:
        """Return how many events are still failed, an example, and the newest of the events."""
        visible = self.visible(request, Event)
        events = group_states.visible_events(self, request, Criteria(group=group.pk))
        still = cast("CountedGroup", group).still_failed
        failed = events.filter(status=Event.Status.FAILED)
        run = failure_groups.example(group, visible)
        own = tracebacks.own_lines(run.traceback, run.receiver) if run else ""
        newest = events.order_by("-pk").only("name", "event_id", "received_at", *RECORD)
        return {
            "still": still,
            "retrying": still - failed.count(),
            "all_url": self._list_url(group.pk),
            "failed_url": self._list_url(group.pk, status__exact=Event.Status.FAILED),
            "replay_url": self._replay_url(group),
            "example": run,
            "example_of": of_tenant(run.event) if run else "",
            "example_name": display.line(run.event.name) if run else "",
            "headline": display.bounded(run.error) if run else "",
            "own": display.text(own) if own else "",
            "whole": display.text(run.traceback) if run and run.traceback else "",
            "events": [
                (event, of_tenant(event), display.line(event.name))
                for event in (newest[:MAX_LISTED] if still else ())
            ],
            "current_state": group.current_state,
            "may_triage": self.has_triage_permission(request),
            "may_replay": self.has_replay_permission(request),
        }

    def _list_url(self, group: int, **filters: str) -> str:
        """Return the URL of the list of the events that are still failed in a group."""
        url = self.url("event_changelist")
        return f"{url}?{urlencode({'group': group, **filters})}" if url else ""

    def _replay_url(self, group: FailureGroup) -> str:
        """Return the URL of the form that replays what has failed in a group."""
        criteria = Criteria(group=group.pk, status=Event.Status.FAILED)
        query = {"criteria": json.dumps(criteria.as_json()), "receivers": group.receiver}
        url = self.url("event_replay")
        return (
            f"{url}?{urlencode({**query, 'only_failed': 'on', 'which': 'failed'})}" if url else ""
        )

    @admin.display(description=_("state"), ordering="state")
    def state_word(self, group: FailureGroup) -> SafeString:
        state = group.current_state
        return display.status(state, str(state.label))

    @admin.display(description=_("place in the code"))
    def place(self, group: FailureGroup) -> str:
        return display.bounded(group.frame) or gettext("none of the project's own code")

    @admin.display(description=_("Cause"), ordering="receiver")
    def cause(self, group: FailureGroup) -> SafeString:
        # The error may be that of a hidden event.
        return cause(group, is_whole="error" not in group.get_deferred_fields())

    @admin.display(description=_("still failed"))
    def still(self, group: CountedGroup) -> str:
        """Return how many events are still failed, with a link to exactly these."""
        still = group.still_failed
        url = self._list_url(group.pk) if still else ""
        return format_html('<a href="{}">{}</a>', url, still) if url else str(still)

    @admin.display(description=_("what people said"))
    def history(self, group: FailureGroup) -> SafeString:
        """Return who said what of the group, when and why."""
        said = list(group_states.history(group))
        return display.lines(said or [gettext("nothing yet")])
