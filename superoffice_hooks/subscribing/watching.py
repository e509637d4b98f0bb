"""Keeping watch: one look at each webhook, a ping, and what is done about one that was ended."""

from .. import conf
from ..models import Watch
from ..superoffice_api import about
from ..superoffice_api.errors import ApiError
from ..superoffice_api.webhooks import ACTIVE, TOO_MANY_ERRORS, Counters
from ..wire.event_names import PING
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from . import arriving, configured, noting
from .comparing import entity
from .looking import Look, look

logger = get_logger(__name__)


def watch(endpoint: str) -> Watch:
    """Look at the webhook of an endpoint, and note what was seen; never raises for SuperOffice.

    A webhook that was ended for too many errors is activated again, as REACTIVATE allows.
    """
    tenant = ""
    try:
        tenant = configured.wanted_of(endpoint).tenant
        seen = look(endpoint)
        counters = _counters(seen)
        has_arrived = _ping(seen)
    except ApiError as error:
        return noting.note_unknown(endpoint, tenant, str(error))
    noted = noting.note(seen, counters=counters, has_arrived=has_arrived)
    if seen.state != TOO_MANY_ERRORS or seen.is_elsewhere or not _may_reactivate(endpoint):
        return noted
    try:
        after = reactivate(seen)
    except ApiError as error:
        logger.error(  # noqa: TRY400
            "The webhook of %s was not activated again: %s",
            endpoint,
            error,
            extra=fields(endpoint=endpoint, tenant=tenant),
        )
        return noting.note(seen, counters=counters, reason=str(error))
    if after.is_down:
        noting.announce_stop(after)
    return after


def watch_due(seconds: float) -> None:
    """Look at each of WEBHOOKS at which no process has looked for so long."""
    for endpoint in configured.endpoints():
        if Watch.claim_look(endpoint, seconds):
            watch(endpoint)


def reactivate(seen: Look, *, who: str = "") -> Watch:
    """Activate a webhook again, and return what was seen then.

    It is tested first, and tried at once with an event of our own: before version 12.1, the first
    failure after it ends the webhook again, so the first delivery must be a success.

    Raises:
        ApiError: it was not activated.
    """
    if seen.ours is None:
        raise configured.NotConfigured("There is no webhook to activate.")
    number = max(seen.ours.secret_number or 0, 0)
    tested, _has_arrived = arriving.test(seen, number)
    if not tested.succeeded:
        raise configured.NotConfigured(
            f"SuperOffice still cannot deliver to {seen.wanted.url}, so the webhook was left as it"
            f" is. SuperOffice wrote: {tested.message or 'nothing'}"
        )
    endpoint = seen.wanted.endpoint
    # Before it is done: a process that dies meanwhile has used up one of the day's.
    noting.note(seen, action=Watch.Action.REACTIVATED, who=who)
    values = entity(seen.wanted, seen.secrets, number=number, watched=seen.watched)
    seen.webhooks.change(seen.ours.id, values)
    has_arrived = _ping(look(endpoint))
    after = look(endpoint)
    return noting.note(after, has_arrived=has_arrived, counters=_counters(after))


def _may_reactivate(endpoint: str) -> bool:
    limit = conf.current().REACTIVATE
    if limit is False or Watch.reactivations(endpoint) >= limit:
        return False
    return not Watch.reactivation_failed(endpoint)


def _counters(seen: Look) -> Counters:
    if seen.ours is None:
        return Counters()
    if seen.ours.counters.consecutive_errors is not None:
        return seen.ours.counters
    return about.counters_of(seen.client, seen.ours, about.version_of(seen.client))


def _ping(seen: Look) -> bool | None:
    """Return whether a ping arrives; None if none can be sent. One may get lost, two do not."""
    if seen.ours is None or seen.is_elsewhere:
        return None
    if seen.state != ACTIVE or PING not in seen.ours.events:
        return None
    return arriving.ping(seen) or arriving.ping(seen)
