"""An event in one sentence."""

from django.utils.translation import gettext, ngettext

from ..models import Event
from . import showing


def summary(event: Event) -> str:
    """What happened, when we heard of it, and what came of it."""
    return gettext("%(about)s was received at %(when)s and %(outcome)s.") % {
        "about": _about(event),
        "when": showing.at(event.received_at),
        "outcome": _outcome(event),
    }


def record(event: Event) -> str:
    """The record concerned: ``ticket 527331``; only its entity where the body has no number."""
    return event.entity if event.primary_key is None else f"{event.entity} {event.primary_key}"


def _about(event: Event) -> str:
    about = event.name or gettext("An event without a name")
    if event.primary_key is not None:
        about = gettext("%(event)s for %(record)s") % {"event": about, "record": record(event)}
    if event.tenant:
        about = gettext("%(event)s of %(tenant)s") % {"event": about, "tenant": event.tenant}
    if count := len(event.changes):
        about = ngettext(
            "%(event)s, with %(count)d changed field,",
            "%(event)s, with %(count)d changed fields,",
            count,
        ) % {"event": about, "count": count}
    return about


def _outcome(event: Event) -> str:
    match event.status:
        case Event.Status.PENDING:
            return gettext("waits to be dispatched")
        case Event.Status.RUNNING:
            return gettext("is being dispatched")
        case Event.Status.SKIPPED if event.is_test:
            return gettext("was skipped, for it is only a test")
        case Event.Status.SKIPPED:
            return gettext("was skipped, for it was for no receiver")
        case Event.Status.SUCCEEDED:
            after = ngettext(
                "succeeded after %(count)d attempt",
                "succeeded after %(count)d attempts",
                event.attempts,
            )
        case _:
            after = ngettext(
                "failed after %(count)d attempt", "failed after %(count)d attempts", event.attempts
            )
    return after % {"count": event.attempts}
