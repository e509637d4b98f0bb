"""The pages on which people mute, resolve or reopen a failure group, or handle its events."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import Event, FailureGroup
from ..models.event_queryset import EventQuerySet
from ..replay.criteria import Criteria, frozen, select
from . import display
from .reason_form import HandlingForm, reason_field

if TYPE_CHECKING:
    from .failure_groups import FailureGroupAdmin


class StateForm(forms.Form):
    """The reason for another state of a group."""

    reason = reason_field(_("Reason"), _("Kept with the failure group."))


class MuteForm(StateForm):
    """The reason for which a group is muted, and until when."""

    until = forms.DateTimeField(
        required=False,
        label=_("Until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("The first failure after that opens the group again. Empty: no failure does."),
    )

    def clean_until(self) -> Any:
        """Refuse a time that has passed."""
        until = self.cleaned_data["until"]
        if until and until <= timezone.now():
            raise forms.ValidationError(gettext("This time has passed."))
        return until


class GroupHandlingForm(HandlingForm):
    """How the events of a group were dealt with."""

    up_to = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**63 - 1)
    """The highest key of an event that the page counted."""


class Change(NamedTuple):
    """A change of a group's state that people make."""

    title: Any
    explanation: Any
    done: Any
    set_state: Callable[..., None]
    """The method of the group."""
    form: type[StateForm] = StateForm


CHANGES = {
    "mute": Change(
        _("Mute"),
        _(
            "The failures of this group are known: they are not announced. Its events stay failed,"
            " and receivers are called as before."
        ),
        _("The failure group is muted."),
        FailureGroup.mute,
        MuteForm,
    ),
    "resolve": Change(
        _("Resolve"),
        _(
            "The cause is gone. The next failure opens the group again. Events that have failed"
            " stay failed until they are replayed or marked as handled."
        ),
        _("The failure group is resolved."),
        FailureGroup.resolve,
    ),
    "reopen": Change(
        _("Reopen"),
        _("The cause is not gone, or it is not to be muted."),
        _("The failure group is open again."),
        FailureGroup.reopen,
    ),
}


def change(
    admin: "FailureGroupAdmin", request: HttpRequest, pk: int, *, change: Change
) -> HttpResponse:
    """Ask why a group has another state, and set it."""
    group = get_object_or_404(admin.get_queryset(request), pk=pk)
    form = change.form(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _ask(admin, request, group, form, change.title, change.explanation)
    change.set_state(group, who=request.user.get_username(), **form.cleaned_data)
    return _done(admin, request, group, str(change.done))


def handle(admin: "FailureGroupAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what was done about the failed events of a group, and mark them as handled.

    Events that fail after the page was shown are not among them.
    """
    group = get_object_or_404(admin.get_queryset(request), pk=pk)
    criteria = Criteria(group=group.pk, status=Event.Status.FAILED)
    form = GroupHandlingForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        form.initial["up_to"] = frozen(criteria).up_to
        count = visible_events(admin, request, criteria).count()
        title = ngettext(
            "Mark %(count)d event as handled", "Mark %(count)d events as handled", count
        )
        return _ask(admin, request, group, form, title % {"count": count}, HandlingForm.explanation)
    events = visible_events(admin, request, replace(criteria, up_to=form.cleaned_data["up_to"]))
    who, reason = request.user.get_username(), form.cleaned_data["reason"]
    handled = events.handle(who=who, reason=reason)
    message = ngettext(
        "%(count)d event is marked as handled.", "%(count)d events are marked as handled.", handled
    )
    return _done(admin, request, group, message % {"count": handled})


def history(group: FailureGroup) -> Iterator[str]:
    """Yield in words who changed the state of a group, and what changed it after that."""
    if group.said_at:
        about = {"who": group.who, "when": display.at(group.said_at), "reason": group.reason}
        sentence = {
            FailureGroup.State.MUTED: gettext("%(when)s: muted by %(who)s. %(reason)s"),
            FailureGroup.State.RESOLVED: gettext("%(when)s: resolved by %(who)s. %(reason)s"),
            FailureGroup.State.OPEN: gettext("%(when)s: reopened by %(who)s. %(reason)s"),
        }[FailureGroup.State(group.said)]
        yield display.visible(sentence % about)
    if group.muted_until:
        yield gettext("Muted until %(when)s.") % {"when": display.at(group.muted_until)}
    if group.reopened_at:
        when = display.at(group.reopened_at)
        yield gettext("%(when)s: opened again by a new failure.") % {"when": when}


def visible_events(
    admin: "FailureGroupAdmin", request: HttpRequest, criteria: Criteria
) -> EventQuerySet:
    """Return the events that meet the criteria and that the user may see."""
    events, visible = select(criteria), admin.visible(request, Event)
    return events if visible is None else events.filter(pk__in=visible.order_by().values("pk"))


def _ask(
    admin: "FailureGroupAdmin",
    request: HttpRequest,
    group: FailureGroup,
    form: forms.Form,
    title: Any,
    explanation: Any,
) -> HttpResponse:
    return admin.render(
        request,
        "confirm.html",
        title=title,
        button=title,
        explanation=explanation,
        form=form,
        subject=group,
        way_back=admin.url("failuregroup_change", group.pk),
    )


def _done(
    admin: "FailureGroupAdmin", request: HttpRequest, group: FailureGroup, message: str
) -> HttpResponse:
    admin.message_user(request, message, messages.SUCCESS)
    return HttpResponseRedirect(admin.url("failuregroup_change", group.pk))
