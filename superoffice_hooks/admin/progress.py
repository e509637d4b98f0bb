"""The progress of a replay: a page that shows it, and a way to cancel.

Dispatchers carry replays on; the page changes nothing.
"""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from ..models import Replay

if TYPE_CHECKING:
    _ReplayAdmin = admin.ModelAdmin[Replay]
else:
    _ReplayAdmin = object


def may_replay(request: HttpRequest) -> bool:
    """Whether the user has the permission to replay, and to cancel a replay."""
    return request.user.has_perm("superoffice_hooks.replay_event")


class Progressing(_ReplayAdmin):
    """Gives the replay admin the pages of replays that take their time."""

    def get_urls(self) -> list[URLPattern]:
        """The URLs of the admin, the progress page's and that of its button."""
        pages = []
        for name, page in (
            ("progress", require_GET(self.progress_view)),
            ("cancel", require_POST(self.cancel_view)),
        ):
            view = self.admin_site.admin_view(page)
            pages.append(path(f"<int:pk>/{name}/", view, name=f"superoffice_hooks_replay_{name}"))
        return [*pages, *super().get_urls()]

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how far the replay is."""
        if not (self.has_view_permission(request) or may_replay(request)):
            raise PermissionDenied
        replay = self._replay(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Progress of replay %(number)d") % {"number": replay.pk},
            "opts": self.opts,
            "replay": replay,
            "report": report(replay) if replay.finished_at else "",
            "may_cancel": may_replay(request) and not replay.finished_at,
            "may_view": self.has_view_permission(request),
        }
        request.current_app = self.admin_site.name
        template = "admin/superoffice_hooks/replay/progress.html"
        return TemplateResponse(request, template, context)

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button: ends the replay before its next event."""
        if not may_replay(request):
            raise PermissionDenied
        replay = self._replay(request, pk)
        if not replay.cancel(request.user.get_username()):
            self.message_user(request, gettext("The replay had ended already."), messages.WARNING)
        site = self.admin_site.name
        url = reverse("admin:superoffice_hooks_replay_progress", args=[pk], current_app=site)
        return HttpResponseRedirect(url)

    def _replay(self, request: HttpRequest, pk: int) -> Replay:
        try:
            return self.get_queryset(request).get(pk=pk)
        except Replay.DoesNotExist:
            raise Http404 from None


def report(replay: Replay) -> str:
    """What came of a replay that has ended, in sentences."""
    sentences = [
        ngettext(
            "%(count)d event replayed: %(succeeded)d succeeded, %(failed)d failed.",
            "%(count)d events replayed: %(succeeded)d succeeded, %(failed)d failed.",
            replay.tried,
        )
        % {
            "count": replay.tried,
            "succeeded": replay.done - replay.skipped,
            "failed": replay.failed,
        }
    ]
    if replay.skipped:
        sentences.append(
            ngettext(
                "%(count)d has no receiver to call and was skipped.",
                "%(count)d have no receiver to call and were skipped.",
                replay.skipped,
            )
            % {"count": replay.skipped}
        )
    if replay.busy:
        sentences.append(
            ngettext(
                "%(count)d of the failed was unfinished and is left to its ordinary dispatch.",
                "%(count)d of the failed were unfinished and are left to their ordinary dispatch.",
                replay.busy,
            )
            % {"count": replay.busy}
        )
    if replay.cancelled_by:
        sentences.append(
            ngettext(
                "Cancelled by %(who)s, with %(count)d event to go.",
                "Cancelled by %(who)s, with %(count)d events to go.",
                replay.remaining,
            )
            % {"who": replay.cancelled_by, "count": replay.remaining}
        )
    elif replay.remaining:
        sentences.append(
            ngettext(
                "%(count)d no longer met the criteria when it was its turn.",
                "%(count)d no longer met the criteria when it was their turn.",
                replay.remaining,
            )
            % {"count": replay.remaining}
        )
    return " ".join(sentences)
