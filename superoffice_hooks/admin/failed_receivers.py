"""The receivers that failed last for the events of a list."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ..models import Event, FailureGroup, ReceiverRun
from . import display

MAX_RUNS = 1000
"""Runs that are read for one page of the list; an event seldom has three receivers that fail."""
_WITHOUT = (Event.Status.SUCCEEDED, Event.Status.SKIPPED)
_RECEIVER_LENGTH = 60
_ERROR_LENGTH = 100
_CAUSE_LENGTH = 120


class Failure(NamedTuple):
    """The last run of a receiver that did not succeed."""

    receiver: str
    error: str


def failures(events: Iterable[Event], using: str) -> dict[int, list[Failure]]:
    """Return the failures of each event that has not succeeded, the newest run first.

    One query. Index: superoffice_run_succeeds_once, which begins with the event.
    """
    keys = [event.pk for event in events if event.status not in _WITHOUT]
    by_event = defaultdict[int, list[Failure]](list)
    if keys:
        runs = ReceiverRun.objects.using(using).filter(event__in=keys).still_failed()
        rows = runs.order_by("-pk").values_list("event_id", "receiver", "error")
        for event, receiver, error in rows[:MAX_RUNS]:
            by_event[event].append(Failure(receiver, error))
    return dict(by_event)


def in_short(failures: list[Failure]) -> SafeString:
    """Return the first failure in short, and the number of the others."""
    if not failures:
        return display.NONE
    first, *others = failures
    return format_html(
        '<span class="superoffice-receiver" title="{}">{}</span>'
        ' <span class="superoffice-error">{}</span>{}',
        display.line(first.receiver),
        display.breakable(short(first.receiver)),
        error_line(first.error, _ERROR_LENGTH),
        gettext(" and %(count)d more") % {"count": len(others)} if others else "",
    )


def short(receiver: str) -> str:
    """Return the end of a dotted path: the function, and what it is in."""
    return display.line(".".join(receiver.split(".")[-2:]), _RECEIVER_LENGTH)


def error_line(error: str, limit: int) -> SafeString:
    """Return the first line of an error, which breaks within the name of its class."""
    return display.breakable(display.line(error.partition("\n")[0], limit))


def cause(group: FailureGroup, *, is_whole: bool) -> SafeString:
    """Return the first line of a group's error, and the receiver that raised it.

    ``is_whole`` says whether all events are visible. If not, the error may be that of a hidden
    event, and the exception is shown instead.
    """
    return format_html(
        '{} <div class="superoffice-quiet">{}</div>',
        error_line((is_whole and group.error) or group.exception, _CAUSE_LENGTH),
        display.breakable(display.line(group.receiver, _CAUSE_LENGTH)),
    )
