"""Replay from the admin: confirm with a reason, replay, and show the result."""

from dataclasses import asdict, replace
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from ..dispatcher import hand_over_replay
from ..models import Event
from ..replay import running
from ..replay.criteria import frozen
from ..replay.running import Criteria, Preview, select
from . import display
from .criteria import of_filters, of_list
from .readonly import ReadOnlyAdmin
from .replay_form import PREVIEW, Choice, ReplayForm, read_criteria
from .replay_progress import report
from .selected import keys_of, read_ids

NOTHING = Criteria(up_to=0)
"""Criteria that select no event. Without any criterion, all events would be selected."""
MAX_LISTED = 20
"""The number of events that the confirmation page lists."""
_SHORT_NAME = 80
AT_ONCE = 25
"""The number of events that are replayed while the user waits; more are left to the dispatchers."""


def confirm_selected(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, selected: QuerySet[Event]
) -> HttpResponse | None:
    """Ask for a confirmation to replay the selected events."""
    criteria: Criteria | None = None
    if request.POST.get("select_across") == "1":
        criteria = of_list(request.GET, selected)
    if not criteria:
        keys = keys_of(admin, request, selected)
        if keys is None:
            return None
        criteria = Criteria(ids=tuple(keys))
    # The filters of the list tell which receivers are likely meant.
    choice = Choice.of_link(of_filters(request.GET) or NOTHING, QueryDict())
    preview = Preview(criteria, **asdict(choice))
    return _confirm(admin, request, ReplayForm(None, preview, initial=choice.as_initial()), preview)


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest) -> HttpResponse:
    """Show the confirmation page; after a POST of its form, replay the events."""
    source = request.POST if request.method == "POST" else request.GET
    is_sent = request.method == "POST" or PREVIEW in source
    meant = _meant(source)
    choice = Choice.of_form(source) if is_sent else Choice.of_link(meant, source)
    preview = Preview(_visible(admin, request, meant), **asdict(choice))
    if not preview.events:
        admin.message_user(request, gettext("There is no such event."), messages.WARNING)
        return HttpResponseRedirect(_way_back(admin, request))
    if request.method != "POST" or PREVIEW in source:
        initial = {**choice.as_initial(), "reason": source.get("reason", "")}
        return _confirm(admin, request, ReplayForm(None, preview, initial=initial), preview)
    form = ReplayForm(source, preview)
    if not form.is_valid():
        return _confirm(admin, request, form, preview)
    return _replay(admin, request, preview.criteria, form.arguments)


def _meant(source: QueryDict) -> Criteria:
    """Return the criteria of a form or a link."""
    if ids := read_ids(source.get("ids", "")):
        return Criteria(ids=tuple(ids))
    return read_criteria(source.get("criteria", "")) or NOTHING


def _visible(admin: ReadOnlyAdmin[Event], request: HttpRequest, criteria: Criteria) -> Criteria:
    """Return criteria that select no hidden event, and none that comes in later.

    If the project hides events from the user, the criteria list the ids of the visible ones.
    """
    visible = admin.get_queryset(request)
    if criteria.ids:
        events = visible.filter(pk__in=criteria.ids[: admin.max_selected])
        visible_ids = tuple(events.order_by("pk").values_list("pk", flat=True))
        return replace(criteria, ids=visible_ids) if visible_ids else NOTHING
    criteria = criteria if criteria.up_to is not None else frozen(criteria)
    if not visible.query.where:
        return criteria
    events = select(criteria).filter(pk__in=visible.order_by().values("pk"))
    keys = keys_of(admin, request, events)
    return Criteria(ids=tuple(keys)) if keys else NOTHING


def _confirm(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, form: ReplayForm, preview: Preview
) -> HttpResponse:
    """Show what the replay would do, and ask for the reason."""
    events = preview.oldest(MAX_LISTED).only("name", "event_id", "received_at")
    title = ngettext("Replay %(count)d event", "Replay %(count)d events", preview.events)
    return admin.render(
        request,
        "event/replay_confirmation.html",
        title=title % {"count": preview.events},
        form=form,
        preview=preview,
        names=[
            (_event_name(named.name), named.events, display.codes(named.receivers))
            for named in preview.names
        ],
        calls_of=[(display.codes([path]), count) for path, count in preview.calls.items()],
        calls=sum(preview.calls.values()),
        uncalled=preview.events - preview.called_events,
        at_once=preview.events <= AT_ONCE,
        events=events,
        more=preview.events - len(events),
        preserved_filters=admin.get_preserved_filters(request),
        way_back=_way_back(admin, request, preview.criteria),
    )


def _event_name(name: str) -> SafeString:
    """Return the name of events; a long one is cut, and opens."""
    short = len(name) <= _SHORT_NAME
    return display.breakable(display.visible(name)) if short else display.bounded(name)


def _replay(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, criteria: Criteria, chosen: dict[str, Any]
) -> HttpResponse:
    """Replay up to AT_ONCE events and show the result; leave more to the dispatchers."""
    planned = running.plan(criteria, who=request.user.get_username(), **chosen)
    if planned.planned <= AT_ONCE:
        running.begin(planned)
    way_back = _way_back(admin, request, criteria)
    if not planned.finished_at:
        hand_over_replay(planned)
        progress = admin.url("replay_progress", planned.pk)
        if not progress:
            admin.message_user(request, gettext("Dispatchers carry the replay on."))
        return HttpResponseRedirect(progress or way_back)
    level = messages.WARNING if planned.failed else messages.SUCCESS
    admin.message_user(request, report(planned), level)
    return HttpResponseRedirect(way_back)


def _way_back(
    admin: ReadOnlyAdmin[Event], request: HttpRequest, criteria: Criteria = NOTHING
) -> str:
    """Return the URL of the event, if it was one; otherwise of the list, filtered as before."""
    is_one = len(criteria.ids) == 1
    url = admin.url("event_change", *criteria.ids) if is_one else admin.url("event_changelist")
    return admin.with_filters(request, url)
