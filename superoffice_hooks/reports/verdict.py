"""The verdict: in one sentence, whether a person is needed, and what for."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext, ngettext

from . import webhooks
from .levels import Level
from .standing import MAX_COUNTED, MAX_PENDING


class Topic(StrEnum):
    """What a finding is about."""

    DISPATCHER = "dispatcher"
    OVERDUE = "overdue"
    GATHERINGS = "gatherings"
    HUNG = "hung"
    SET_ASIDE = "set_aside"
    SPOOL = "spool"
    WEBHOOK_DOWN = "webhook_down"
    ENDED = "ended"
    FAILED = "failed"
    STALLED = "stalled"
    WEBHOOK_UNKNOWN = "webhook_unknown"
    WEBHOOK_DIFFERS = "webhook_differs"
    STOPPED = "stopped"
    REPLAYS = "replays"
    SILENT = "silent"


class Facts(NamedTuple):
    """How things stand, as far as the verdict depends on it."""

    is_dispatcher_missing: bool = False
    overdue: int = 0
    """Events that have been due for too long."""
    gatherings: int = 0
    """Gatherings that have been due for too long."""
    hung: int = 0
    """Lanes in a call that takes too long."""
    set_aside: int = 0
    """Deliveries in the spool that can never be stored."""
    spooled: int = 0
    """Deliveries that have been in the spool for too long."""
    webhooks_down: tuple[str, ...] = ()
    webhooks_unknown: tuple[str, ...] = ()
    webhooks_that_differ: tuple[str, ...] = ()
    """Endpoints of WEBHOOKS, by what the last look saw: see ``Watched``."""
    ended: int = 0
    """Webhooks that SuperOffice has ended after too many errors."""
    stopped: int = 0
    """Webhooks that a person has stopped in SuperOffice."""
    failed: int = 0
    """Events that have failed for good."""
    groups: int = 0
    """The failure groups that they are in; 0 if that is not known."""
    stalled: int = 0
    """Replays whose process has died."""
    unfinished: int = 0
    """Other replays that have not come to their end."""
    silent: tuple[str, ...] = ()
    """Endpoints that are unusually silent."""


class Finding(NamedTuple):
    """A part of the verdict."""

    topic: Topic
    level: Level
    words: str


class Verdict(NamedTuple):
    """Whether a person is needed, and for what, by urgency."""

    level: Level
    findings: list[Finding]

    @property
    def sentence(self) -> str:
        """Return the whole verdict as one sentence."""
        if not self.findings:
            return f"{self.level.words}."
        parts = "; ".join(finding.words for finding in self.findings)
        return f"{self.level.words}: {parts}."


def verdict(facts: Facts) -> Verdict:
    """Return the verdict on some facts, in the active language."""
    findings = [
        Finding(topic, level, words)
        for topic, level, describe in _RULES
        if (words := describe(facts))
    ]
    findings.sort(key=lambda finding: -finding.level)
    return Verdict(max((f.level for f in findings), default=Level.FINE), findings)


def _dispatcher(facts: Facts) -> str:
    return gettext("nobody dispatches") if facts.is_dispatcher_missing else ""


def _overdue(facts: Facts) -> str:
    if facts.overdue >= MAX_PENDING:
        return gettext("%(count)s events or more are overdue") % {"count": facts.overdue}
    words = ngettext("%(count)d event is overdue", "%(count)d events are overdue", facts.overdue)
    return _if_any(facts.overdue, words)


def _failed(facts: Facts) -> str:
    if facts.failed >= MAX_COUNTED:
        failed = gettext("%(count)s events or more have failed") % {"count": facts.failed}
    else:
        words = ngettext("%(count)d event has failed", "%(count)d events have failed", facts.failed)
        failed = _if_any(facts.failed, words)
    if not (failed and facts.groups):
        return failed
    causes = ngettext("of %(count)d cause", "of %(count)d causes", facts.groups)
    return f"{failed} {causes % {'count': facts.groups}}"


def _silent(facts: Facts) -> str:
    names = {"names": ", ".join(facts.silent)}
    return gettext("unusually silent: %(names)s") % names if facts.silent else ""


def _some(number: Callable[[Facts], int], words: Callable[[int], str]) -> Callable[[Facts], str]:
    """Return what describes a number of things; ``words`` returns them in the form for a number."""
    return lambda facts: _if_any(number(facts), words(number(facts)))


def _if_any(count: int, words: str) -> str:
    return words % {"count": count} if count else ""


_RULES: tuple[tuple[Topic, Level, Callable[[Facts], str]], ...] = (
    (Topic.DISPATCHER, Level.ACT, _dispatcher),
    (Topic.OVERDUE, Level.ACT, _overdue),
    (
        Topic.GATHERINGS,
        Level.ACT,
        _some(
            lambda facts: facts.gatherings,
            lambda count: ngettext(
                "%(count)d gathering is overdue", "%(count)d gatherings are overdue", count
            ),
        ),
    ),
    (
        Topic.HUNG,
        Level.ACT,
        _some(
            lambda facts: facts.hung,
            lambda count: ngettext("%(count)d lane hangs", "%(count)d lanes hang", count),
        ),
    ),
    (
        Topic.SET_ASIDE,
        Level.ACT,
        _some(
            lambda facts: facts.set_aside,
            lambda count: ngettext(
                "%(count)d delivery in the spool can never be stored",
                "%(count)d deliveries in the spool can never be stored",
                count,
            ),
        ),
    ),
    (
        Topic.SPOOL,
        Level.ACT,
        _some(
            lambda facts: facts.spooled,
            lambda count: ngettext(
                "%(count)d delivery waits in the spool for the database",
                "%(count)d deliveries wait in the spool for the database",
                count,
            ),
        ),
    ),
    (Topic.WEBHOOK_DOWN, Level.ACT, lambda facts: webhooks.down(facts.webhooks_down)),
    (
        Topic.ENDED,
        Level.ACT,
        _some(
            lambda facts: facts.ended,
            lambda count: ngettext(
                "SuperOffice has ended %(count)d webhook after too many errors",
                "SuperOffice has ended %(count)d webhooks after too many errors",
                count,
            ),
        ),
    ),
    (Topic.FAILED, Level.ACT, _failed),
    (
        Topic.STALLED,
        Level.ACT,
        _some(
            lambda facts: facts.stalled,
            lambda count: ngettext(
                "%(count)d replay is stalled", "%(count)d replays are stalled", count
            ),
        ),
    ),
    (Topic.WEBHOOK_UNKNOWN, Level.LOOK, lambda facts: webhooks.unknown(facts.webhooks_unknown)),
    (Topic.WEBHOOK_DIFFERS, Level.LOOK, lambda facts: webhooks.differ(facts.webhooks_that_differ)),
    (
        Topic.STOPPED,
        Level.LOOK,
        _some(
            lambda facts: facts.stopped,
            lambda count: ngettext(
                "%(count)d webhook was stopped in SuperOffice",
                "%(count)d webhooks were stopped in SuperOffice",
                count,
            ),
        ),
    ),
    (
        Topic.REPLAYS,
        Level.LOOK,
        _some(
            lambda facts: facts.unfinished,
            lambda count: ngettext(
                "%(count)d replay is unfinished", "%(count)d replays are unfinished", count
            ),
        ),
    ),
    # Silence alone is no alarm: nothing may have happened.
    (Topic.SILENT, Level.LOOK, _silent),
)
"""What is looked at, by urgency."""
