"""Gatherings in words: what a receiver waits for that is called for several events together."""

from django.utils.formats import localize
from django.utils.translation import gettext

from ..models import Gathering
from ..models.queued import Queued
from ..receivers import Options
from ..reports.stages import Stage, stage
from . import display


def together(options: Options) -> str:
    """Return how a receiver is called for several events; empty if it is called for each."""
    if options.settle is not None:
        return gettext(
            "once per record, after %(settle)s s of quiet, after %(at_most)s s at the latest"
        ) % {"settle": _seconds(options.settle), "at_most": _seconds(options.at_most)}
    if options.batch is not None:
        return gettext("for up to %(batch)s events at once, after %(within)s s at the latest") % {
            "batch": localize(options.batch),
            "within": _seconds(options.within),
        }
    return ""


def in_queue(row: Queued) -> str:
    """Return the stage of an event or a gathering, as the end of a sentence about it.

    Empty if it only waits.
    """
    match stage(row):
        case Stage.RUNNING:
            return gettext("is being dispatched by %(who)s since %(when)s") % {
                "who": row.begun_by,
                "when": display.at(row.begun_at),
            }
        case Stage.RETRY:
            return gettext("is to be retried at %(when)s") % {
                "when": display.at(row.next_attempt_at)
            }
        case Stage.OVERDUE:
            return gettext("is overdue: nobody has dispatched it since %(when)s") % {
                "when": display.at(row.next_attempt_at)
            }
    return ""


def wait(gathering: Gathering) -> str:
    """Return what a gathering waits for, as the end of a sentence about an event."""
    if known := in_queue(gathering):
        return known
    latest = {"quiet": display.at(gathering.quiet_at), "latest": display.at(gathering.call_by)}
    # An event without a record is alone in a gathering that settles.
    if gathering.is_of_record or gathering.primary_key:
        return gettext("waits for quiet until %(quiet)s, until %(latest)s at the latest") % latest
    return gettext("waits for a full batch, until %(latest)s at the latest") % latest


def _seconds(seconds: float | None) -> str:
    return str(localize(int(seconds) if seconds and seconds == int(seconds) else seconds))
