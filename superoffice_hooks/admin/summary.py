"""An event in two sentences: what happened in SuperOffice, and what became of it here."""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext, ngettext

from ..models import Event, ReceiverRun
from ..reports.stages import Stage, stage
from . import display, event_runs
from .gatherings import in_queue, wait

RECORD = ("entity", "primary_key", "tenant")
"""The columns that name the record of an event."""


def summary(event: Event, runs: Sequence[ReceiverRun] = ()) -> str:
    """Return what happened, when it was received, what came of it, and what went wrong.

    ``runs`` are its runs, with their gatherings.
    """
    replays = len({run.replay_id for run in runs if run.replay_id})
    sentence = gettext("%(happened)s It was received at %(when)s and %(outcome)s.") % {
        "happened": _happened(event),
        "when": display.at(event.received_at),
        "outcome": _outcome(event, runs, is_replayed=replays > 0),
    }
    return " ".join([sentence, *_accidents(event), *_replayed(replays)])


def record(event: Event) -> str:
    """Return the record: ``ticket 527331``; only its entity if the body has no number."""
    number = "" if event.primary_key is None else str(event.primary_key)
    return f"{event.entity} {number}".strip()


def of_tenant(event: Event) -> str:
    """Return the record with its tenant: ``ticket 527331 of Cust12345``; without it the event."""
    parts = {"record": record(event), "tenant": event.tenant}
    if not parts["record"]:
        return display.visible(str(event))
    if event.tenant:
        return display.line(gettext("%(record)s of %(tenant)s") % parts)
    return display.line(parts["record"])


def who(event: Event) -> str:
    """Return who caused the event, by number, since SuperOffice sends no names."""
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
        "when": display.at(event.happened_at),
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
    """Return the first field that is no noise, and the number of the others."""
    first = display.line(next(iter(event.significant_changes or event.changes), ""))
    more = len(event.changes) - 1
    if not more:
        return first
    return ngettext(
        "%(field)s and %(count)d more field", "%(field)s and %(count)d more fields", more
    ) % {"field": first, "count": more}


def _outcome(event: Event, runs: Sequence[ReceiverRun], *, is_replayed: bool) -> str:
    # A call for several events is an attempt at each of them, which their rows do not count.
    attempts = max([event.attempts, *(run.attempt for run in runs if not run.replay_id)])
    match event.status:
        case Event.Status.WAITING:
            waits = map(wait, event_runs.gatherings(runs))
            return next(waits, gettext("waits to be called together with other events"))
        case Event.Status.PENDING:
            return in_queue(event) or gettext("waits to be dispatched")
        case Event.Status.SKIPPED if event.is_test:
            return gettext("was skipped because it is only a test")
        case Event.Status.SKIPPED:
            return gettext("was skipped because it was for no receiver")
        case Event.Status.HANDLED:
            return gettext("failed, and was handled by %(who)s: %(reason)s") % {
                "who": event.handled_by,
                "reason": event.handled_reason,
            }
        # The attempts may have failed, and the replay succeeded.
        case Event.Status.SUCCEEDED if is_replayed:
            return gettext("has succeeded")
        case Event.Status.SUCCEEDED:
            after = ngettext(
                "succeeded after %(count)d attempt",
                "succeeded after %(count)d attempts",
                attempts,
            )
        case _:
            after = ngettext(
                "failed after %(count)d attempt", "failed after %(count)d attempts", attempts
            )
    return after % {"count": attempts}


def _accidents(event: Event) -> Iterator[str]:
    """Yield sentences about attempts that did not end as they should."""
    if event.is_running and stage(event) != Stage.RUNNING:
        yield gettext("%(who)s began an attempt at %(when)s and has not ended it.") % {
            "who": event.begun_by,
            "when": display.at(event.begun_at),
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
