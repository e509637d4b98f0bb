"""The page of one endpoint's webhook: wanted and actual side by side, state, counters, history."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import superoffice_api
from ..models import Watch
from ..reports.webhooks import Watched, watched
from ..subscribing import configured
from ..subscribing.wanted import Wanted
from ..wire.values import storable_text
from . import display, webhook_actions, webhook_facts
from .tables import Cell, Table

if TYPE_CHECKING:
    from .webhooks import WatchAdmin

MAX_ROWS = 50
"""Rows of the history, the newest ones."""
_ERROR_LENGTH = 150

_KEYS = {
    "state": _("State"),
    "url": _("Address"),
    "name": _("Name"),
    "events": _("Events"),
    "headers": _("Headers"),
    "properties": _("Properties"),
    "error_emails": _("Addresses for errors"),
    "secret": _("Secret"),
}
_SECRETS = {
    "newest": _("the newest one"),
    "older": _("an older one"),
    "unknown": _("one that is not in SECRETS"),
    "hidden": _("not shown"),
}


def view(admin: "WatchAdmin", request: HttpRequest, endpoint: str) -> HttpResponse:
    """Show the webhook of an endpoint. SuperOffice is not called."""
    endpoint = storable_text(endpoint)
    if not webhook_actions.is_visible(admin, request, endpoint):
        raise Http404
    wanted, problem = _wanted(endpoint)
    (seen,) = watched([endpoint])
    if endpoint not in configured.endpoints() and seen.newest is None:
        raise Http404
    level, sentence = webhook_facts.verdict(seen)
    rows = list(Watch.objects.filter(endpoint=endpoint).order_by("-pk")[: MAX_ROWS + 1])
    return admin.render(
        request,
        "watch/webhook.html",
        title=gettext("Webhook of %(endpoint)s") % {"endpoint": display.visible(endpoint)},
        level=level.name.lower(),
        level_words=level.words,
        sentence=sentence,
        problem=problem,
        facts=list(webhook_facts.facts(seen)),
        tables=[_comparison(wanted, seen.known), _history(rows)],
        buttons=_buttons(admin, request, endpoint, seen),
        needs_extra=not superoffice_api.is_installed(),
    )


def differences(watch: Watch) -> SafeString | str:
    """Return what differs from what is wanted."""
    shown = [
        gettext("%(key)s: wanted %(wanted)s, actual %(actual)s")
        % {"key": _KEYS.get(str(key), key), "wanted": wanted, "actual": actual}
        for key, wanted, actual in watch.differences
    ]
    return display.lines(shown) if shown else ""


def _wanted(endpoint: str) -> tuple[Wanted | None, str]:
    """Return what WEBHOOKS wants for an endpoint, or why it wants nothing."""
    if endpoint not in configured.endpoints():
        return None, gettext("WEBHOOKS wants no webhook for this endpoint.")
    try:
        return configured.wanted_of(endpoint), ""
    except configured.NotConfigured as error:
        return None, str(error)


def _comparison(wanted: Wanted | None, known: Watch | None) -> Table:
    """Return what is wanted and what SuperOffice has, side by side."""
    ours: dict[str, Any] = wanted.shown() | {"state": Watch.State.ACTIVE.label} if wanted else {}
    theirs: dict[str, Any] = dict(known.actual) if known else {}
    if known is not None and theirs:
        theirs["state"] = known.get_state_display()
        theirs["secret"] = _SECRETS.get(theirs.get("secret", ""), "")
    if ours:
        ours["secret"] = _SECRETS["newest"]
    if wanted and wanted.states_of:
        states = gettext("the states of the webhook of %(endpoint)s")
        ours["events"] += [states % {"endpoint": wanted.states_of}]
    wrong = {str(key) for key, *_values in known.differences} if known else set()
    rows = [
        [
            Cell(words),
            Cell(_shown(ours.get(key))),
            Cell(_shown(theirs.get(key))),
            Cell(display.status("failed", gettext("differs")) if key in wrong else ""),
        ]
        for key, words in _KEYS.items()
    ]
    compared = gettext(
        "Compared when the webhook was looked at last. Values of headers, properties and secrets"
        " are not shown."
    )
    return Table(
        "compared",
        gettext("Wanted and actual"),
        ["", gettext("Wanted"), gettext("At SuperOffice"), gettext("Difference")],
        rows,
        help=compared,
        is_wide=True,
    )


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return display.chips([str(one) for one in value])
    return display.bounded(str(value)) if value else ""


def _history(rows: Sequence[Watch]) -> Table:
    """Return what was seen and done, the newest first."""
    columns = (
        gettext("Since"),
        gettext("Looked at"),
        gettext("State"),
        gettext("Ping"),
        gettext("What was done"),
        gettext("By"),
        gettext("Error"),
    )
    shown = [
        [
            Cell(display.at(row.since)),
            Cell(display.at(row.looked_at)),
            Cell(webhook_facts.state(row)),
            Cell(row.get_ping_display() if row.ping else ""),
            Cell(row.get_action_display()),
            Cell(display.visible(row.who)),
            Cell(display.bounded(row.reason or row.last_error, _ERROR_LENGTH)),
        ]
        for row in rows[:MAX_ROWS]
    ]
    more = gettext("Only the newest %(count)d are shown.") % {"count": MAX_ROWS}
    return Table(
        "history",
        gettext("What was seen and done"),
        columns,
        shown,
        gettext("Nothing yet. Run superoffice_watch, or let dispatchers look: WATCH_EVERY."),
        more if len(rows) > MAX_ROWS else "",
        is_wide=True,
    )


def _buttons(
    admin: "WatchAdmin", request: HttpRequest, endpoint: str, seen: Watched
) -> list[tuple[str, str]]:
    """Return the words and the URLs of what this user can do about it now."""
    is_wanted = endpoint in configured.endpoints()
    if not (is_wanted and superoffice_api.is_installed() and admin.has_manage_permission(request)):
        return []
    return [
        (str(action.title), admin.url(f"watch_{name}", endpoint))
        for name, action in webhook_actions.ACTIONS.items()
        if not action.states or (seen.known and seen.known.state in action.states)
    ]
