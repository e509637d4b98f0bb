"""Mark as handled: a person dealt with a failed event otherwise, and says how."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Event

if TYPE_CHECKING:
    _EventAdmin = admin.ModelAdmin[Event]
else:
    _EventAdmin = object


class HandlingForm(forms.Form):
    """How the event was dealt with."""

    why = forms.CharField(
        label=_("What was done"),
        widget=AdminTextareaWidget(attrs={"rows": 2, "autofocus": True}),
        help_text=_("Kept with the event, for whoever asks later."),
    )


class Handling(_EventAdmin):
    """Gives the event admin the page on which a failed event is marked as handled."""

    def get_urls(self) -> list[URLPattern]:
        """The URLs of the admin, and this page's."""
        view = self.admin_site.admin_view(self.handle_view)
        own = path("<int:pk>/handle/", view, name="superoffice_hooks_event_handle")
        return [own, *super().get_urls()]

    def handle_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask what was done, and write it down."""
        if not self.has_replay_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        event = get_object_or_404(self.get_queryset(request), pk=pk)
        form = HandlingForm(request.POST if request.method == "POST" else None)
        if event.status == Event.Status.FAILED and not form.is_valid():
            return self._ask(request, event, form)
        if event.status == Event.Status.FAILED and event.handle(
            who=request.user.get_username(), why=form.cleaned_data["why"]
        ):
            self.message_user(request, gettext("The event is marked as handled."))
        else:
            message = gettext("Only an event that has failed can be marked as handled.")
            self.message_user(request, message, messages.WARNING)
        return HttpResponseRedirect(self._page_of(pk))

    def _ask(self, request: HttpRequest, event: Event, form: HandlingForm) -> TemplateResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Mark as handled"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "event": event,
            "way_back": self._page_of(event.pk),
        }
        return TemplateResponse(request, "admin/superoffice_hooks/event/handle.html", context)

    def _page_of(self, pk: int) -> str:
        return reverse(
            "admin:superoffice_hooks_event_change", args=[pk], current_app=self.admin_site.name
        )
