"""Replay from the admin: choose, confirm with a reason, and read what came out."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import replaying
from ..models import Event, Replay
from ..receivers import Receiver
from ..signals import receivers_of

if TYPE_CHECKING:
    _EventAdmin = admin.ModelAdmin[Event]
else:
    _EventAdmin = object

_IDS = re.compile(r"[0-9]{1,18}(,[0-9]{1,18})*")


class ReplayForm(forms.Form):
    """Which events, as the keys of their rows, and why."""

    ids = forms.CharField(widget=forms.HiddenInput)
    why = forms.CharField(
        label=_("Why"),
        widget=AdminTextareaWidget(attrs={"rows": 2, "autofocus": True}),
        help_text=_("Kept with the replay, for whoever asks later."),
    )


class Planned(NamedTuple):
    """What a replay will do with the events of one name."""

    name: str
    events: int
    receivers: list[str]


class Replaying(_EventAdmin):
    """Gives the event admin its Replay action and button, and the page both lead to."""

    MOST = 10_000
    """Events in one replay: all of them are named in one query, and in the Replay's row."""
    FEW = 20
    """Events that are listed one by one before they are replayed."""

    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whether the user may replay events."""
        permission = f"{self.opts.app_label}.{get_permission_codename('replay', self.opts)}"
        return self.has_view_permission(request) and request.user.has_perm(permission)

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
        keys = queryset.order_by("pk").values_list("pk", flat=True)[: self.MOST + 1]
        if len(keys) > self.MOST:
            message = gettext("Please select %(most)d events at most: narrow the list down first.")
            self.message_user(request, message % {"most": self.MOST}, messages.ERROR)
            return None
        form = ReplayForm(initial={"ids": ",".join(map(str, keys))})
        return self._confirm(request, form, list(keys))

    def replay_view(self, request: HttpRequest) -> HttpResponse:
        """The confirmation page; its form comes back here, and only a POST replays."""
        if not self.has_replay_permission(request):
            raise PermissionDenied
        posted = request.method == "POST"
        keys = self._keys(request, (request.POST if posted else request.GET).get("ids", ""))
        if not keys:
            self.message_user(request, gettext("There is no such event."), messages.WARNING)
            return HttpResponseRedirect(self._way_back(request))
        form = ReplayForm(request.POST if posted else None, initial=request.GET.dict())
        if not form.is_valid():
            return self._confirm(request, form, keys)
        self._replay(request, keys, form.cleaned_data["why"])
        return HttpResponseRedirect(self._way_back(request, keys))

    def _keys(self, request: HttpRequest, text: str) -> tuple[int, ...]:
        """Those of the keys in a comma-separated list that are events this user may see."""
        asked = text.split(",") if _IDS.fullmatch(text) else []
        events = self.get_queryset(request).filter(pk__in=asked[: self.MOST])
        return tuple(events.order_by("pk").values_list("pk", flat=True))

    def _confirm(
        self, request: HttpRequest, form: ReplayForm, keys: Sequence[int]
    ) -> TemplateResponse:
        """Say what is about to happen, and ask why."""
        events = Event.objects.filter(pk__in=keys)
        few = events.order_by("pk").only("name", "event_id", "received_at")[: self.FEW]
        context = {
            **self.admin_site.each_context(request),
            "title": ngettext("Replay %(count)d event", "Replay %(count)d events", len(keys))
            % {"count": len(keys)},
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "planned": plan(events),
            "events": few,
            "more": len(keys) - len(few),
            "preserved_filters": self.get_preserved_filters(request),
            "way_back": self._way_back(request, keys),
        }
        request.current_app = self.admin_site.name
        template = "admin/superoffice_hooks/event/replay_confirmation.html"
        return TemplateResponse(request, template, context)

    def _replay(self, request: HttpRequest, keys: tuple[int, ...], why: str) -> None:
        """Replay, and tell the user in counts what came out."""
        criteria = replaying.Criteria(ids=keys)
        ended = Counter[str]()
        replay = replaying.plan(criteria, who=request.user.get_username(), why=why)
        replaying.replay(replay, criteria, lambda event: ended.update([event.status]))
        self.message_user(
            request, report(replay, ended), messages.WARNING if replay.failed else messages.SUCCESS
        )

    def _way_back(self, request: HttpRequest, keys: Sequence[int] = ()) -> str:
        """To the event, if it was one; else to the list, filtered as before."""
        page, arguments = ("change", [keys[0]]) if len(keys) == 1 else ("changelist", [])
        url = reverse(
            f"admin:superoffice_hooks_event_{page}",
            args=arguments,
            current_app=self.admin_site.name,
        )
        filters = self.get_preserved_filters(request)
        return add_preserved_filters({"preserved_filters": filters, "opts": self.opts}, url)


def plan(events: QuerySet[Event]) -> list[Planned]:
    """Whom a replay of these events will call: a receiver is connected to a name."""
    names = events.order_by("name").values_list("name").annotate(count=Count("pk"))
    return [
        Planned(name, count, [receiver.path for receiver in _receivers(name)])
        for name, count in names
    ]


def _receivers(name: str) -> list[Receiver]:
    # The test event reaches no receiver, though those of "*" match its name.
    return [] if Event(name=name).is_test else receivers_of(name, sender=Event)


def report(replay: Replay, ended: Counter[str]) -> str:
    """What came of a replay.

    Its row counts an event without receivers as done, and one that was left to another process as
    failed; people want to know those apart.
    """
    count = replay.done + replay.failed
    skipped = min(ended[Event.Status.SKIPPED], replay.done)
    elsewhere = ended[Event.Status.RUNNING]
    sentences = [
        ngettext(
            "%(count)d event replayed: %(succeeded)d succeeded, %(failed)d failed.",
            "%(count)d events replayed: %(succeeded)d succeeded, %(failed)d failed.",
            count,
        )
        % {"count": count, "succeeded": replay.done - skipped, "failed": replay.failed}
    ]
    if skipped:
        sentences.append(
            ngettext(
                "%(count)d has no receiver and was skipped.",
                "%(count)d have no receiver and were skipped.",
                skipped,
            )
            % {"count": skipped}
        )
    if elsewhere:
        sentences.append(
            ngettext(
                "%(count)d of the failed is being dispatched by another process.",
                "%(count)d of the failed are being dispatched by another process.",
                elsewhere,
            )
            % {"count": elsewhere}
        )
    return " ".join(sentences)
