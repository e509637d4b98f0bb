"""Recognise our webhook among the visible ones: by its address, or by what earlier looks saw."""

from collections.abc import Sequence

from ..models import Watch
from ..superoffice_api.webhooks import Webhook
from ..wire.web_addresses import is_same_place
from . import configured
from .wanted import Wanted


def matching(wanted: Wanted, visible: Sequence[Webhook]) -> tuple[Webhook, ...]:
    """Return the webhooks with the wanted address."""
    return tuple(hook for hook in visible if is_same_place(hook.url, wanted.url))


def ours(wanted: Wanted, visible: Sequence[Webhook]) -> Webhook | None:
    """Return the webhook that is ours; None if there is none, or if it is not clear which one."""
    there = matching(wanted, visible)
    if not there:
        return _moved(wanted, visible)
    if len(there) == 1:
        return there[0]
    rows = Watch.objects.of(wanted.endpoint).seen().filter(tenant=wanted.tenant)
    known = rows.exclude(webhook=None).first()
    return next((hook for hook in there if known and hook.id == known.webhook), None)


def _moved(wanted: Wanted, visible: Sequence[Webhook]) -> Webhook | None:
    """Return the webhook that an earlier look saw with the wanted address, and that has moved.

    The earlier look must have seen the wanted address. The copy of a project, for tests, wants an
    address of its own, and its database has the rows of the original's webhook.
    """
    free = {hook.id: hook for hook in visible if not _is_of_another(wanted, hook)}
    rows = Watch.objects.of(wanted.endpoint).seen().filter(tenant=wanted.tenant)
    for watch in rows.filter(webhook__in=free):
        if watch.webhook and is_same_place(str(watch.actual.get("url", "")), wanted.url):
            return free[watch.webhook]
    return None


def _is_of_another(wanted: Wanted, hook: Webhook) -> bool:
    """Return whether a webhook has the address of another endpoint of the same tenant."""
    return any(
        is_same_place(hook.url, other.url)
        for other in configured.all_wanted()
        if other.endpoint != wanted.endpoint and other.tenant == wanted.tenant
    )
