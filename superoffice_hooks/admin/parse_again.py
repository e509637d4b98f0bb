"""Parse again: what was signed but made no event becomes one, once the reading of it is mended."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import receiving
from ..dispatcher import hand_over
from ..models import Rejection
from ..notification import Unreadable

if TYPE_CHECKING:
    _RejectionAdmin = admin.ModelAdmin[Rejection]
else:
    _RejectionAdmin = object

PERMISSION = "superoffice_hooks.replay_event"
"""Both call receivers for what arrived long ago."""


class ParsingAgain(_RejectionAdmin):
    """Gives the rejection admin its "Parse again" button and action."""

    MOST = 1000
    """Rejections in one action: each may have a body of MAX_BODY_BYTES."""

    actions = ("parse_again",)

    def has_parse_again_permission(self, request: HttpRequest) -> bool:
        """Whether the user may make events of the rejections."""
        return self.has_view_permission(request) and request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        """The URLs of the admin, and the one the button posts to."""
        view = self.admin_site.admin_view(self.parse_again_view)
        name = "superoffice_hooks_rejection_parse_again"
        return [path("<int:pk>/parse-again/", view, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list. Django overlooks an action that is not allowed; we say so."""
        asked = request.method == "POST" and "parse_again" in request.POST.getlist("action")
        if asked and not self.has_parse_again_permission(request):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def parse_again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the button does: leads to the event, or back to the page, which says why not."""
        if not self.has_parse_again_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            rejection = self.get_queryset(request).get(pk=pk)
            event, is_due = receiving.receive_again(rejection, request.user.get_username())
        except Rejection.DoesNotExist:
            said = gettext("There is no such rejection, or nobody signed it.")
            self.message_user(request, said, messages.WARNING)
            return HttpResponseRedirect(self._url(request, "rejection_changelist"))
        except Unreadable as error:
            said = gettext("It still makes no event. %(why)s") % {"why": error}
            self.message_user(request, said, messages.ERROR)
            return HttpResponseRedirect(self._url(request, "rejection_change", pk))
        said = gettext("The rejection could be read, and is kept as %(event)s now.")
        self.message_user(request, said % {"event": event}, messages.SUCCESS)
        url = (
            self._url(request, "event_change", event.pk)
            if request.user.has_perm("superoffice_hooks.view_event")
            else self._url(request, "rejection_changelist")
        )
        hand_over(event if is_due else None)
        return HttpResponseRedirect(url)

    @admin.action(description=_("Parse selected rejections again"), permissions=["parse_again"])
    def parse_again(
        self, request: HttpRequest, queryset: QuerySet[Rejection]
    ) -> HttpResponse | None:
        """The list's action, oldest first."""
        keys = queryset.order_by("pk").values_list("pk", flat=True)[: self.MOST + 1]
        if len(keys) > self.MOST:
            message = gettext("Please select %(most)d rejections at most.") % {"most": self.MOST}
            self.message_user(request, message, messages.ERROR)
            return None
        came_of_them = Counter[str]()
        for key in keys:
            try:
                # One by one: together, the bodies may be a gigabyte.
                rejection = Rejection.objects.get(pk=key)
                event, is_due = receiving.receive_again(rejection, request.user.get_username())
            except Unreadable:
                came_of_them["unreadable"] += 1
            except Rejection.DoesNotExist:
                came_of_them["left alone"] += 1
            else:
                came_of_them["event"] += 1
                hand_over(event if is_due else None)
        all_well = came_of_them["event"] == came_of_them.total()
        self.message_user(
            request, _report(came_of_them), messages.SUCCESS if all_well else messages.WARNING
        )
        return HttpResponseRedirect(request.get_full_path())

    def _url(self, request: HttpRequest, page: str, *arguments: object) -> str:
        """Of a page of ours, with the filters of the list the user came from."""
        name = f"admin:superoffice_hooks_{page}"
        url = reverse(name, args=arguments, current_app=self.admin_site.name)
        filters = self.get_preserved_filters(request)
        return add_preserved_filters({"preserved_filters": filters, "opts": self.opts}, url)


def _report(came_of_them: Counter[str]) -> str:
    """What became of several rejections, in counts."""
    count = came_of_them.total()
    sentences = [
        ngettext(
            "%(count)d rejection parsed again: %(events)d made an event.",
            "%(count)d rejections parsed again: %(events)d made an event.",
            count,
        )
        % {"count": count, "events": came_of_them["event"]}
    ]
    if unreadable := came_of_them["unreadable"]:
        sentences.append(
            ngettext(
                "%(count)d still makes no event.", "%(count)d still make no event.", unreadable
            )
            % {"count": unreadable}
        )
    if alone := came_of_them["left alone"]:
        sentences.append(
            ngettext(
                "%(count)d was not signed, or is gone, and was left alone.",
                "%(count)d were not signed, or are gone, and were left alone.",
                alone,
            )
            % {"count": alone}
        )
    return " ".join(sentences)
