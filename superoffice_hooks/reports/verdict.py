"""The verdict: in one sentence, whether a person is needed, and what for."""

from enum import StrEnum
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

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


_RULES = (
    (Topic.DISPATCHER, Level.ACT, "is_dispatcher_missing"),
    (Topic.OVERDUE, Level.ACT, "overdue"),
    (Topic.GATHERINGS, Level.ACT, "gatherings"),
    (Topic.HUNG, Level.ACT, "hung"),
    (Topic.SET_ASIDE, Level.ACT, "set_aside"),
    (Topic.SPOOL, Level.ACT, "spooled"),
    (Topic.WEBHOOK_DOWN, Level.ACT, "webhooks_down"),
    (Topic.ENDED, Level.ACT, "ended"),
    (Topic.FAILED, Level.ACT, "failed"),
    (Topic.STALLED, Level.ACT, "stalled"),
    (Topic.WEBHOOK_UNKNOWN, Level.LOOK, "webhooks_unknown"),
    (Topic.WEBHOOK_DIFFERS, Level.LOOK, "webhooks_that_differ"),
    (Topic.STOPPED, Level.LOOK, "stopped"),
    (Topic.REPLAYS, Level.LOOK, "unfinished"),
    # Silence alone is no alarm: nothing may have happened.
    (Topic.SILENT, Level.LOOK, "silent"),
)
"""Each topic with its level and the fact that it depends on, by urgency."""

_WORDS: dict[Topic, Any] = {
    Topic.DISPATCHER: _("nobody dispatches"),
    Topic.OVERDUE: ngettext_lazy(
        "%(count)d event is overdue", "%(count)d events are overdue", "count"
    ),
    Topic.GATHERINGS: ngettext_lazy(
        "%(count)d gathering is overdue", "%(count)d gatherings are overdue", "count"
    ),
    Topic.HUNG: ngettext_lazy("%(count)d lane hangs", "%(count)d lanes hang", "count"),
    Topic.SET_ASIDE: ngettext_lazy(
        "%(count)d delivery in the spool can never be stored",
        "%(count)d deliveries in the spool can never be stored",
        "count",
    ),
    Topic.SPOOL: ngettext_lazy(
        "%(count)d delivery waits in the spool for the database",
        "%(count)d deliveries wait in the spool for the database",
        "count",
    ),
    Topic.WEBHOOK_DOWN: ngettext_lazy(
        "SuperOffice delivers nothing to the endpoint %(names)s",
        "SuperOffice delivers nothing to the endpoints %(names)s",
        "count",
    ),
    Topic.ENDED: ngettext_lazy(
        "SuperOffice has ended %(count)d webhook after too many errors",
        "SuperOffice has ended %(count)d webhooks after too many errors",
        "count",
    ),
    Topic.FAILED: ngettext_lazy(
        "%(count)d event has failed", "%(count)d events have failed", "count"
    ),
    Topic.STALLED: ngettext_lazy(
        "%(count)d replay is stalled", "%(count)d replays are stalled", "count"
    ),
    Topic.WEBHOOK_UNKNOWN: ngettext_lazy(
        "the state of the webhook of %(names)s could not be read",
        "the states of the webhooks of %(names)s could not be read",
        "count",
    ),
    Topic.WEBHOOK_DIFFERS: ngettext_lazy(
        "the webhook of %(names)s is not as it is wanted",
        "the webhooks of %(names)s are not as they are wanted",
        "count",
    ),
    Topic.STOPPED: ngettext_lazy(
        "%(count)d webhook was stopped in SuperOffice",
        "%(count)d webhooks were stopped in SuperOffice",
        "count",
    ),
    Topic.REPLAYS: ngettext_lazy(
        "%(count)d replay is unfinished", "%(count)d replays are unfinished", "count"
    ),
    Topic.SILENT: _("unusually silent: %(names)s"),
}
_AT_LIMIT: dict[Topic, tuple[int, Any]] = {
    Topic.OVERDUE: (MAX_PENDING, _("%(count)s events or more are overdue")),
    Topic.FAILED: (MAX_COUNTED, _("%(count)s events or more have failed")),
}
"""From how many on there may be more, and the words for that."""


def verdict(facts: Facts) -> Verdict:
    """Return the verdict on some facts, in the active language."""
    findings = [
        Finding(topic, level, _described(topic, value, facts))
        for topic, level, fact in _RULES
        if (value := getattr(facts, fact))
    ]
    return Verdict(max((f.level for f in findings), default=Level.FINE), findings)


def _described(topic: Topic, value: int | tuple[str, ...], facts: Facts) -> str:
    """Return a fact in words: a number of things, or things by their names."""
    names = value if isinstance(value, tuple) else ()
    number = value if isinstance(value, int) else len(value)
    limit, at_limit = _AT_LIMIT.get(topic, (None, ""))
    words = _WORDS[topic] if limit is None or number < limit else at_limit
    described = str(words % {"count": number, "names": ", ".join(names)})
    if topic != Topic.FAILED or not facts.groups:
        return described
    causes = ngettext("of %(count)d cause", "of %(count)d causes", facts.groups)
    return f"{described} {causes % {'count': facts.groups}}"
