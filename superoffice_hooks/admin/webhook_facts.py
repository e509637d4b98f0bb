"""What is known of a webhook at SuperOffice, in words."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Watch
from ..reports.levels import Level
from ..reports.webhooks import Watched
from . import display

_CHIPS: dict[str, str] = {
    Watch.State.ACTIVE: "succeeded",
    Watch.State.STOPPED: "failed",
    Watch.State.TOO_MANY_ERRORS: "failed",
    Watch.State.MISSING: "failed",
}
_DOWN: dict[str, Any] = {
    Watch.State.STOPPED: _("SuperOffice delivers nothing: somebody has stopped the webhook."),
    Watch.State.TOO_MANY_ERRORS: _(
        "SuperOffice delivers nothing: it has ended the webhook after too many errors."
    ),
    Watch.State.MISSING: _("SuperOffice delivers nothing: it has no webhook for this address."),
}


class Fact(NamedTuple):
    """Something that is known, under its name."""

    name: str
    value: Any


def state(watch: Watch) -> SafeString:
    """Return the state of a webhook. One that we do not know is shown as SuperOffice sent it."""
    chip = _CHIPS.get(watch.state, "pending")
    return display.status(chip, display.visible(watch.get_state_display()))


def verdict(seen: Watched) -> tuple[Level, str]:
    """Return whether a person is needed, and why in a sentence."""
    known = seen.known
    if seen.newest is None:
        return Level.LOOK, gettext("Nobody has looked at this webhook yet.")
    if known is not None and known.state == Watch.State.ACTIVE and known.is_elsewhere:
        return Level.ACT, gettext(
            "SuperOffice delivers nothing here: the webhook has another address."
        )
    if known is not None and known.is_down:
        return Level.ACT, _of_down(known)
    if seen.is_unknown or known is None:
        return Level.LOOK, gettext("The state of the webhook could not be read.")
    if known.state == Watch.State.SEVERAL:
        return Level.LOOK, gettext("SuperOffice has several webhooks with this address.")
    if known.differences:
        return Level.LOOK, gettext("SuperOffice delivers, but not as it is wanted.")
    return Level.FINE, gettext("The webhook is active and as it is wanted.")


def _of_down(known: Watch) -> str:
    if known.state in _DOWN:
        return str(_DOWN[known.state])
    if known.state != Watch.State.ACTIVE:
        words = gettext("The webhook is in the state %(state)s.")
        return words % {"state": display.visible(known.state)}
    return gettext("The webhook is active, but the last ping did not arrive.")


def facts(seen: Watched) -> Iterator[Fact]:
    """Yield what is known of a webhook."""
    newest, known = seen.newest, seen.known
    if newest is None:
        return
    yield Fact(gettext("Looked at"), display.ago(newest.looked_at))
    if seen.is_unknown:
        yield Fact(gettext("It could not be read"), display.bounded(newest.reason))
    if known is None:
        return
    if seen.is_unknown:
        yield Fact(gettext("Last read"), display.ago(known.looked_at))
    yield from _known(known)


def _known(known: Watch) -> Iterator[Fact]:
    yield Fact(gettext("State"), state(known))
    yield Fact(gettext("Since"), display.ago(known.since))
    yield Fact(gettext("Last ping"), known.get_ping_display())
    yield Fact(gettext("Tenant"), display.visible(known.tenant))
    numbers = {
        gettext("Number at SuperOffice"): known.webhook,
        gettext("Calls counted by SuperOffice"): known.total_calls,
        gettext("Of them failed"): known.total_errors,
        gettext("Failed in a row"): known.consecutive_errors,
    }
    for words, number in numbers.items():
        if number is not None:
            yield Fact(words, str(number))
    for words, text in {
        gettext("Reason"): known.reason,
        gettext("Last error"): known.last_error,
    }.items():
        if text:
            yield Fact(words, display.bounded(text))
