"""Replay from the admin: choose, confirm with a reason, and read what came out."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import replaying
from ..dispatcher import hand_over_replay
from ..logs import get_logger
from ..models import Event
from ..replaying import Criteria, Preview, select
from ..selecting import frozen
from .criteria import of_list
from .progress import may_replay, report
from .replay_form import ReplayForm, read_criteria

if TYPE_CHECKING:
    _EventAdmin = admin.ModelAdmin[Event]
else:
    _EventAdmin = object

logger = get_logger(__name__)

_IDS = re.compile(r"[0-9]{1,18}(,[0-9]{1,18})*")

NOTHING = Criteria(up_to=0)
"""No events, as no criteria would be all."""


class Replaying(_EventAdmin):
    """Gives the event admin its Replay action and button, and the page both lead to."""

    MOST = 10_000
    """Events that are chosen one by one: all are named in one query, and in the Replay's row."""
    FEW = 20
    """Events that are listed one by one before they are replayed."""
    AT_ONCE = 25
    """Events that are replayed while the user waits; more are left to the dispatchers."""

    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whether the user may replay events."""
        return self.has_view_permission(request) and may_replay(request)

    def get_urls(self) -> list[URLPattern]:
        """The URLs of the admin, and the confirmation page's."""
        view = self.admin_site.admin_view(self.replay_view)
        # Under ATOMIC_REQUESTS, an error at the end would undo the record of what receivers did.
        for alias in connections:
            view = transaction.non_atomic_requests(alias)(view)
        return [path("replay/", view, name="superoffice_hooks_event_replay"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list. Django overlooks an action that is not allowed; we say so."""
        asked = request.method == "POST" and "replay" in request.POST.getlist("action")
        if asked and not self.has_replay_permission(request):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    @admin.action(description=_("Replay selected events"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Event]) -> HttpResponse | None:
        """The list's action: nothing happens before it is confirmed."""
        if request.POST.get("select_across") == "1" and (
            criteria := of_list(request.GET, queryset)
        ):
            return self._confirm(request, Preview(criteria))
        keys = list(queryset.order_by("pk").values_list("pk", flat=True)[: self.MOST + 1])
        if len(keys) > self.MOST:
            message = gettext("Please select %(most)d events at most: narrow the list down first.")
            self.message_user(request, message % {"most": self.MOST}, messages.ERROR)
            return None
        return self._confirm(request, Preview(Criteria(ids=tuple(keys))))

    def replay_view(self, request: HttpRequest) -> HttpResponse:
        """The confirmation page; its form comes back here, and only a POST replays."""
        if not self.has_replay_permission(request):
            raise PermissionDenied
        asked = self._asked_for(request)
        preview = Preview(replace(asked, latest=False))
        if not preview.events:
            self.message_user(request, gettext("There is no such event."), messages.WARNING)
            return HttpResponseRedirect(self._way_back(request))
        posted = request.POST if request.method == "POST" else None
        initial = request.GET.dict() | {"latest": asked.latest}
        form = ReplayForm(posted, preview, initial=initial)
        if not form.is_valid():
            return self._confirm(request, preview, form)
        criteria = replace(preview.criteria, latest=form.cleaned_data["latest"])
        return self._replay(request, criteria, form.asked)

    def _asked_for(self, request: HttpRequest) -> Criteria:
        """The events of a form or a link, and none that come in later.

        Of events that are named one by one, those this user may see.
        """
        source = request.POST if request.method == "POST" else request.GET
        criteria = read_criteria(source.get("criteria", "")) or NOTHING
        if _IDS.fullmatch(ids := source.get("ids", "")):
            criteria = Criteria(ids=tuple(map(int, ids.split(","))))
        if criteria.ids:
            events = self.get_queryset(request).filter(pk__in=criteria.ids[: self.MOST])
            keys = tuple(events.order_by("pk").values_list("pk", flat=True))
            return replace(criteria, ids=keys) if keys else NOTHING
        return criteria if criteria.up_to is not None else frozen(criteria)

    def _confirm(
        self, request: HttpRequest, preview: Preview, form: ReplayForm | None = None
    ) -> TemplateResponse:
        """Say what is about to happen, and ask why."""
        few = select(preview.criteria).only("name", "event_id", "received_at")[: self.FEW]
        context = {
            **self.admin_site.each_context(request),
            "title": ngettext("Replay %(count)d event", "Replay %(count)d events", preview.events)
            % {"count": preview.events},
            "opts": self.opts,
            "media": self.media,
            "form": form or ReplayForm(None, preview),
            "preview": preview,
            "latest": preview.events - preview.superseded,
            "at_once": preview.events <= self.AT_ONCE,
            "events": few,
            "more": preview.events - len(few),
            "preserved_filters": self.get_preserved_filters(request),
            "way_back": self._way_back(request, preview.criteria),
        }
        request.current_app = self.admin_site.name
        template = "admin/superoffice_hooks/event/replay_confirmation.html"
        return TemplateResponse(request, template, context)

    def _replay(
        self, request: HttpRequest, criteria: Criteria, asked: dict[str, Any]
    ) -> HttpResponse:
        """Replay a few events and say what came out; leave many to the page that shows progress."""
        planned = replaying.plan(criteria, who=request.user.get_username(), **asked)
        if planned.planned <= self.AT_ONCE:
            try:
                for _ in replaying.batch(planned):
                    pass
            # It is stored, and so goes on elsewhere: an error would have it planned a second time.
            except Exception:
                logger.exception("%s was cut short", planned)
        if not planned.finished_at:
            hand_over_replay(planned)
            progress = "admin:superoffice_hooks_replay_progress"
            site = self.admin_site.name
            return HttpResponseRedirect(reverse(progress, args=[planned.pk], current_app=site))
        level = messages.WARNING if planned.failed else messages.SUCCESS
        self.message_user(request, report(planned), level)
        return HttpResponseRedirect(self._way_back(request, criteria))

    def _way_back(self, request: HttpRequest, criteria: Criteria = NOTHING) -> str:
        """To the event, if it was one; else to the list, filtered as before."""
        one = len(criteria.ids) == 1
        page, arguments = ("change", criteria.ids) if one else ("changelist", ())
        url = reverse(
            f"admin:superoffice_hooks_event_{page}",
            args=arguments,
            current_app=self.admin_site.name,
        )
        filters = self.get_preserved_filters(request)
        return add_preserved_filters({"preserved_filters": filters, "opts": self.opts}, url)
