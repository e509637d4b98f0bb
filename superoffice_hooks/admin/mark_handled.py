"""Mark failed events as handled: a person dealt with them, and says how. And undo that."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext

from ..models import Event
from ..models.event_queryset import EventQuerySet
from .criteria import list_query
from .readonly import ReadOnlyAdmin
from .reason_form import HandlingForm
from .selected import is_too_many, keys_of, read_ids


class SelectedHandlingForm(HandlingForm):
    """How selected events were dealt with."""

    ids = forms.CharField(widget=forms.HiddenInput, required=False)


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what was done about one event, and store it."""
    event = get_object_or_404(admin.get_queryset(request), pk=pk)
    form = HandlingForm(request.POST if request.method == "POST" else None)
    event_url = admin.url("event_change", pk)
    if event.status == Event.Status.FAILED and not form.is_valid():
        explanation = gettext(
            "The event failed for good. If somebody has dealt with it otherwise, say how: it then"
            " counts as handled, and no longer as failed. No receiver is called."
        )
        title = gettext("Mark as handled")
        return _ask(admin, request, form, title, event_url, explanation=explanation, subject=event)
    if event.status == Event.Status.FAILED and event.handle(
        who=request.user.get_username(), reason=form.cleaned_data["reason"]
    ):
        admin.message_user(request, gettext("The event is marked as handled."))
    else:
        message = gettext("Only an event that has failed can be marked as handled.")
        admin.message_user(request, message, messages.WARNING)
    return HttpResponseRedirect(event_url)


def undo(admin: ReadOnlyAdmin[Event], request: HttpRequest, pk: int) -> HttpResponse:
    """Let one handled event be failed again."""
    event = get_object_or_404(admin.get_queryset(request), pk=pk)
    if event.undo_handled(who=request.user.get_username()):
        admin.message_user(request, gettext("The event counts as failed again."))
    else:
        message = gettext("The event is not marked as handled.")
        admin.message_user(request, message, messages.WARNING)
    return HttpResponseRedirect(admin.url("event_change", pk))


def confirm_selected(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, selected: QuerySet[Event]
) -> HttpResponse | None:
    """Ask what was done about the selected events that have failed."""
    failed = selected.filter(status=Event.Status.FAILED)
    keys = keys_of(admin, request, failed)
    if keys is None:
        return None
    if not keys:
        message = gettext("Only an event that has failed can be marked as handled.")
        admin.message_user(request, message, messages.WARNING)
        return None
    return _confirm(
        admin, request, SelectedHandlingForm(initial={"ids": ",".join(map(str, keys))}), keys
    )


def view_selected(admin: ReadOnlyAdmin[Event], request: HttpRequest) -> HttpResponse:
    """Store what was done about the events of the form."""
    form = SelectedHandlingForm(request.POST)
    keys = read_ids(request.POST.get("ids", ""))
    way_back = admin.with_filters(request, admin.url("event_changelist"))
    if not keys or is_too_many(admin, request, keys):
        return HttpResponseRedirect(way_back)
    if not form.is_valid():
        return _confirm(admin, request, form, keys)
    who = request.user.get_username()
    handled = _visible(admin, request, keys).handle(who=who, reason=form.cleaned_data["reason"])
    _report(admin, request, handled, keys)
    return HttpResponseRedirect(way_back)


def undo_selected(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, selected: EventQuerySet
) -> None:
    """Let the selected events that are handled be failed again."""
    handled = selected.filter(status=Event.Status.HANDLED)
    keys = keys_of(admin, request, handled)
    if keys is None:
        return
    undone = _visible(admin, request, keys).undo_handled(who=request.user.get_username())
    message = ngettext(
        "%(count)d event counts as failed again.", "%(count)d events count as failed again.", undone
    )
    level = messages.SUCCESS if undone else messages.WARNING
    admin.message_user(request, message % {"count": undone}, level)


def _confirm(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, form: HandlingForm, keys: list[int]
) -> HttpResponse:
    title = ngettext(
        "Mark %(count)d event as handled", "Mark %(count)d events as handled", len(keys)
    )
    way_back = admin.with_filters(request, admin.url("event_changelist"))
    action = admin.with_filters(request, admin.url("event_handle_selected"))
    title %= {"count": len(keys)}
    explanation = form.explanation
    return _ask(admin, request, form, title, way_back, explanation=explanation, action=action)


def _ask(
    admin: ReadOnlyAdmin[Event],
    request: HttpRequest,
    form: HandlingForm,
    title: str,
    way_back: str,
    **context: object,
) -> HttpResponse:
    button = gettext("Mark as handled")
    context |= {"form": form, "title": title, "way_back": way_back, "button": button}
    return admin.render(request, "confirm.html", **context)


def _report(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, handled: int, keys: list[int]
) -> None:
    """Say how many events are marked, with a link to them, where they can be selected for undo."""
    message = ngettext(
        "%(count)d event is marked as handled.", "%(count)d events are marked as handled.", handled
    ) % {"count": handled}
    criteria: dict[str, Any] = {"status": Event.Status.HANDLED.value}
    query = list_query(criteria | {"ids": keys}) or list_query(criteria)
    url = f"{admin.url('event_changelist')}?{query}"
    shown = format_html('{} <a href="{}">{}</a>', message, url, gettext("Show them"))
    admin.message_user(request, shown, messages.SUCCESS if handled else messages.WARNING)


def _visible(admin: ReadOnlyAdmin[Event], request: HttpRequest, keys: list[int]) -> EventQuerySet:
    """Return those of the events that the user may see."""
    return cast("EventQuerySet", admin.get_queryset(request).filter(pk__in=keys))
