"""The overview: a verdict, and what it is made of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from ..models import Event, Rejection, Watch
from ..models.delivery import in_words
from ..reports import recent, standing
from ..reports.failure_groups import OpenGroup, open_groups
from ..reports.gatherings import MAX_GATHERINGS
from ..reports.levels import Level
from ..reports.situation import Situation, situation
from ..reports.stages import OVERDUE_SECONDS
from ..reports.verdict import Topic
from ..reports.webhooks import Watched
from . import display
from .criteria import MAX_LINKED
from .dispatching_warnings import warnings
from .failed_receivers import cause
from .readonly import ReadOnlyAdmin
from .summary import record
from .tables import Cell, Table
from .traffic import columns_of_hours
from .windows import ChosenWindow, Links


class Clause(NamedTuple):
    """A part of the verdict, with a link to what it is about."""

    words: str
    url: str


def view(admin: ReadOnlyAdmin[Event], request: HttpRequest) -> HttpResponse:
    """Show the overview, without rejections to users who may not view them."""
    chosen = ChosenWindow(request)
    links = Links(admin, chosen.window)
    scope = admin.visible(request)
    now = situation(chosen.window, scope)
    pages = _webhook_pages(links, now, request)
    tables = [_still_failed(links, scope), _endpoints(links, now, pages)]
    if _may_view(request, Rejection):
        tables.append(_rejections(links, admin.visible(request, Rejection)))
    return admin.render(
        request,
        "overview.html",
        title=gettext("Overview"),
        tables=tables,
        **chosen.context(),
        **_verdict(links, now, pages),
        **columns_of_hours(links, scope),
        **_dispatching(links, now),
    )


def _verdict(links: Links, now: Situation, pages: Mapping[str, str]) -> dict[str, Any]:
    return {
        "level": now.verdict.level.name.lower(),
        "level_words": now.verdict.level.words,
        "clauses": [
            Clause(finding.words, _behind(links, now, finding.topic, pages))
            for finding in now.verdict.findings
        ],
        "is_fine": now.verdict.level == Level.FINE,
    }


def _behind(links: Links, now: Situation, topic: Topic, pages: Mapping[str, str]) -> str:
    """Return the URL of what a finding is about."""
    match topic:
        case Topic.OVERDUE:
            overdue = timezone.now() - timedelta(seconds=OVERDUE_SECONDS)
            return links.events(next_attempt_at__lt=overdue.isoformat())
        case Topic.GATHERINGS:
            return links.events(status__exact=Event.Status.WAITING)
        case Topic.FAILED:
            return links.events(status__exact=Event.Status.FAILED)
        case Topic.ENDED | Topic.STOPPED:
            keys = now.said[topic][:MAX_LINKED]
            return links.events(id__in=",".join(map(str, keys)))
        case Topic.WEBHOOK_DOWN | Topic.WEBHOOK_UNKNOWN | Topic.WEBHOOK_DIFFERS:
            return _webhook(now, topic, pages)
        case Topic.STALLED | Topic.REPLAYS:
            return links.rows("replay", state=topic)
        case Topic.SILENT:
            return "#endpoints-heading"
    return "#dispatching-heading"


def _webhook(now: Situation, topic: Topic, pages: Mapping[str, str]) -> str:
    """Return the URL of the webhook that a finding is about; of all of them, if several."""
    names = {
        Topic.WEBHOOK_DOWN: now.facts.webhooks_down,
        Topic.WEBHOOK_UNKNOWN: now.facts.webhooks_unknown,
        Topic.WEBHOOK_DIFFERS: now.facts.webhooks_that_differ,
    }[topic]
    return pages.get(names[0], "") if len(names) == 1 else "#endpoints-heading"


def _still_failed(links: Links, scope: Any) -> Table:
    """Return the failure groups in which events of the window are still failed."""
    events = links.window.events(scope)
    groups = open_groups(events=events)
    rows = [
        [
            Cell(cause(group, is_whole=scope is None), url),
            Cell(count, links.of_window(group=str(group.pk))),
            _ago(group.last_seen),
            Cell(gettext("Replay"), links.replay(group=group.pk)),
        ]
        for group, count, _shared, _unfinished in groups
        for url in [links.admin.url("failuregroup_change", group.pk)]
    ]
    return Table(
        "failures",
        gettext("Still failed, by cause"),
        [gettext("Cause"), gettext("Events"), gettext("Last failure"), gettext("Put it right")],
        rows,
        gettext("No event of this time is still failed."),
        " ".join(_in_the_sum(groups)),
        is_wide=True,
    )


def _in_the_sum(groups: Sequence[OpenGroup]) -> Iterator[str]:
    """Yield the reasons for which the groups add up to more than the events that have failed."""
    if any(group.shared for group in groups):
        yield gettext("Events that failed for several causes count for each of them.")
    if any(group.unfinished for group in groups):
        yield gettext("Events that are to be retried count, too.")


def _rejections(links: Links, visible: Any) -> Table:
    """Return the reasons of rejections."""
    rows = [
        [Cell(in_words(reason)), Cell(rejections, url), _ago(last)]
        for reason, rejections, last in recent.rejections(links.window, rows=visible)
        for url in [links.rows("rejection", reason=reason, **links.received)]
    ]
    return Table(
        "rejections",
        gettext("Rejections by reason"),
        [gettext("Reason"), gettext("Rejections"), gettext("Last")],
        rows,
        gettext("No delivery was refused in this time."),
    )


def _endpoints(links: Links, now: Situation, pages: Mapping[str, str]) -> Table:
    """Return the endpoints, with their last deliveries."""
    words = gettext("unusual"), gettext("as usual")
    webhooks = {one.endpoint: one for one in now.watched}
    rows = [
        [
            Cell(one.name, links.events(endpoint=one.name)),
            _ago(one.last),
            Cell(words[0] if one.is_silent else words[1] if one.last else ""),
            *([_state(webhooks.get(one.name), pages)] if webhooks else []),
        ]
        for one in now.endpoints.heard
    ]
    compared = gettext(
        "Silence is unusual if SuperOffice sent something in the same hours of each of the last"
        " four weeks."
    )
    return Table(
        "endpoints",
        gettext("Endpoints"),
        [
            gettext("Endpoint"),
            gettext("Last delivery"),
            gettext("Silence"),
            *([gettext("Webhook")] if webhooks else []),
        ],
        rows,
        gettext("No endpoint has had a delivery."),
        compared,
    )


def _state(seen: Watched | None, pages: Mapping[str, str]) -> Cell:
    """Return the state of an endpoint's webhook, with a link to its page."""
    if seen is None:
        return Cell("")
    known = seen.newest if seen.is_unknown else seen.known
    words = known.get_state_display() if known else gettext("not looked at yet")
    return Cell(words, pages.get(seen.endpoint, ""))


def _dispatching(links: Links, now: Situation) -> dict[str, Any]:
    """Return what waits, who dispatches, and what is wrong with that."""
    facts, pending = now.dispatching, now.dispatching.pending
    oldest = pending.oldest
    spooled_at = timezone.now() - facts.spool.age if facts.spool.age else None
    lanes = gettext("Lanes"), gettext("Hung lanes")
    columns = gettext("Dispatcher"), gettext("Kind"), *lanes, gettext("Last seen")
    rows = [
        [*map(Cell, (str(one), one.get_kind_display(), one.lanes, one.hung)), _ago(one.seen_at)]
        for one in facts.dispatchers
    ]
    return {
        "dispatching": facts,
        "dispatchers": Table("dispatching", gettext("Dispatching"), columns, rows),
        "all_due": facts.due < standing.MAX_PENDING,
        "due_url": links.events(next_attempt_at__lt=timezone.now().isoformat()),
        "due_since": display.ago(timezone.now() - timedelta(seconds=facts.oldest_due)),
        "spooled_since": spooled_at and display.ago(spooled_at),
        "last_seen": display.ago(facts.last_seen),
        "dispatching_warnings": list(warnings(facts)),
        "pending": pending,
        "pending_url": links.events(status__exact=Event.Status.PENDING),
        "waiting_url": links.events(status__exact=Event.Status.WAITING),
        "all_gatherings": facts.waiting.gatherings < MAX_GATHERINGS,
        "all_pending": pending.events < standing.MAX_PENDING,
        "oldest_record": record(oldest) if oldest else "",
        "oldest_received": display.ago(oldest.received_at if oldest else None),
    }


def _ago(time: datetime | None) -> Cell:
    return Cell(display.ago(time))


def _webhook_pages(links: Links, now: Situation, request: HttpRequest) -> dict[str, str]:
    """Return the URLs of the pages of webhooks that the user may view, by endpoint."""
    if not _may_view(request, Watch):
        return {}
    return {one.endpoint: links.admin.url("watch_webhook", one.endpoint) for one in now.watched}


def _may_view(request: HttpRequest, model: type[Model]) -> bool:
    permission = get_permission_codename("view", model._meta)
    return request.user.has_perm(f"{model._meta.app_label}.{permission}")
