"""An event in two sentences: what happened in SuperOffice, and what became of it here."""

from collections.abc import Iterator

from django.utils.translation import gettext, ngettext

from ..models import Event
from ..watching import Stage, stage
from . import showing


def summary(event: Event, replays: int = 0) -> str:
    """What happened, when we heard of it, what came of it, and what went wrong on the way.

    ``replays`` is how many replays have called receivers for it.
    """
    said = gettext("%(happened)s It was received at %(when)s and %(outcome)s.") % {
        "happened": _happened(event),
        "when": showing.at(event.received_at),
        "outcome": _outcome(event, is_replayed=replays > 0),
    }
    return " ".join([said, *_accidents(event), *_replayed(replays)])


def record(event: Event) -> str:
    """The record concerned: ``ticket 527331``; only its entity where the body has no number."""
    number = "" if event.primary_key is None else str(event.primary_key)
    return f"{event.entity} {number}".strip()


def who(event: Event) -> str:
    """Whose doing it was; SuperOffice sends numbers, no names."""
    if event.is_own:
        return gettext("We ourselves (associate %(id)d)") % {"id": event.associate_id}
    if event.associate_id is None:
        return gettext("Somebody")
    return gettext("Associate %(id)d") % {"id": event.associate_id}


def _happened(event: Event) -> str:
    parts = {
        "who": who(event),
        "what": record(event) or gettext("a record"),
        "fields": _fields(event),
        "event": event.name or gettext("an event without a name"),
        "when": showing.at(event.happened_at),
    }
    match event.action:
        case _ if event.is_test:
            sentence = gettext("SuperOffice sent a test on %(when)s.")
        case "created":
            sentence = gettext("%(who)s created %(what)s on %(when)s.")
        case "deleted" | "softdeleted":
            sentence = gettext("%(who)s deleted %(what)s on %(when)s.")
        case "changed" if event.changes:
            sentence = gettext("%(who)s changed %(fields)s of %(what)s on %(when)s.")
        case "changed":
            sentence = gettext("%(who)s changed %(what)s on %(when)s.")
        case _:
            sentence = gettext("%(who)s caused %(event)s of %(what)s on %(when)s.")
    return sentence % parts


def _fields(event: Event) -> str:
    """The first field that matters, and how many more there are."""
    first = next(iter(event.significant_changes or event.changes), "")
    more = len(event.changes) - 1
    if not more:
        return first
    return ngettext(
        "%(field)s and %(count)d more field", "%(field)s and %(count)d more fields", more
    ) % {"field": first, "count": more}


def _outcome(event: Event, *, is_replayed: bool) -> str:
    match event.status:
        case Event.Status.PENDING:
            return _stage(event)
        case Event.Status.SKIPPED if event.is_test:
            return gettext("was skipped, for it is only a test")
        case Event.Status.SKIPPED:
            return gettext("was skipped, for it was for no receiver")
        case Event.Status.HANDLED:
            return gettext("failed, and was handled by %(who)s: %(why)s") % {
                "who": event.handled_by,
                "why": event.handled_why,
            }
        # The replay may be what it succeeded by.
        case Event.Status.SUCCEEDED if is_replayed:
            return gettext("has succeeded")
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


def _stage(event: Event) -> str:
    match stage(event):
        case Stage.RUNNING:
            return gettext("is being dispatched by %(who)s since %(when)s") % {
                "who": event.begun_by,
                "when": showing.at(event.begun_at),
            }
        case Stage.RETRY:
            return gettext("is to be retried at %(when)s") % {
                "when": showing.at(event.next_attempt_at)
            }
        case Stage.OVERDUE:
            return gettext("is overdue: nobody has dispatched it since %(when)s") % {
                "when": showing.at(event.next_attempt_at)
            }
    return gettext("waits to be dispatched")


def _accidents(event: Event) -> Iterator[str]:
    """Say which attempts did not come to an end."""
    if event.is_running and stage(event) != Stage.RUNNING:
        yield gettext("%(who)s began an attempt at %(when)s and has not ended it.") % {
            "who": event.begun_by,
            "when": showing.at(event.begun_at),
        }
    if event.deaths:
        yield ngettext(
            "A process or its database session ended while it dispatched only this event.",
            "%(count)d times, a process or its database session ended while it dispatched only this"
            " event.",
            event.deaths,
        ) % {"count": event.deaths}


def _replayed(replays: int) -> Iterator[str]:
    if replays:
        yield ngettext("It was replayed once.", "It was replayed %(count)d times.", replays) % {
            "count": replays
        }
