"""What is wrong with the dispatching, and what to do about it, in the language of the reader.

Monitors get ``standing.dispatching_problems`` instead, which is in English everywhere.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext

from ..models import Dispatcher, queue
from ..reports import standing
from ..reports.stages import OVERDUE_SECONDS
from ..reports.standing import Dispatching
from . import display


def warnings(now: Dispatching) -> Iterator[str]:
    """Yield what a person must do, a sentence or two each."""
    oldest = max(now.oldest_due, now.waiting.oldest_due)
    if oldest > OVERDUE_SECONDS:
        due = gettext(
            "Something has been due since %(when)s. Start a dispatcher, or more of them, and look"
            " into its log."
        )
        yield due % {"when": display.at(timezone.now() - timedelta(seconds=oldest))}
    if standing.is_dispatcher_missing(now):
        yield _missing(now.last_seen)
    age = now.spool.age
    if age is not None and age.total_seconds() > OVERDUE_SECONDS:
        spooled = gettext(
            "Deliveries have waited in the spool of this machine since %(when)s. The log says why"
            " the database does not take them."
        )
        yield spooled % {"when": display.at(timezone.now() - age)}
    if now.spool.set_aside:
        yield gettext(
            "Deliveries that can never be stored were set aside in the spool of this machine. Look"
            " at the files in its folder set_aside, and remove them."
        )
    hung = gettext(
        "%(dispatcher)s has %(hung)d of %(lanes)d lanes in a call that takes longer than"
        " CALL_SECONDS. Give the receiver a time-out of its own."
    )
    for one in now.dispatchers:
        if one.hung:
            yield hung % {"dispatcher": one, "hung": one.hung, "lanes": one.lanes}


def nobody_dispatches() -> str:
    """Return what to do if no dispatcher was seen lately; empty if one was, or none should run."""
    if not standing.is_dispatcher_meant():
        return ""
    newest = Dispatcher.objects.using(queue.using()).newest().first()
    if newest is None:
        return _missing(None)
    return "" if newest.is_living else _missing(newest.seen_at)


def _missing(last_seen: datetime | None) -> str:
    seen = gettext("No dispatcher has ever been seen.")
    if last_seen is not None:
        words = gettext("No dispatcher has been seen since %(when)s.")
        seen = words % {"when": display.at(last_seen)}
    start = gettext(
        "Run superoffice_dispatch --watch, or let the web processes dispatch: theirs start with the"
        " first request."
    )
    return f"{seen} {start}"
