"""Keep watch: look at each webhook, ping it, and activate it again if SuperOffice has ended it."""

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
    """Look at the webhook of an endpoint, and store what was seen; an ApiError is stored, too.

    A webhook that was ended for too many errors is activated again, if REACTIVATE allows it.
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
    """Look at each of WEBHOOKS, unless a process has looked at it within these seconds."""
    for endpoint in configured.endpoints():
        if Watch.claim_look(endpoint, seconds):
            watch(endpoint)


def reactivate(seen: Look, *, who: str = "") -> Watch:
    """Activate a webhook again, and return what was seen afterwards.

    SuperOffice tests its address first, and a ping follows at once: the first delivery must be a
    success, because before version 12.1 an activation does not set the counter of failures to 0.

    Raises:
        ApiError: it was not activated.
    """
    if seen.ours is None:
        raise configured.NotPossible("There is no webhook to activate.")
    number = max(seen.ours.secret_number or 0, 0)
    tested, _has_arrived = arriving.test(seen, number)
    if not tested.succeeded:
        raise configured.NotPossible(
            f"SuperOffice still cannot deliver to {seen.wanted.url}, so the webhook was left as it"
            f" is. SuperOffice wrote: {tested.message or 'nothing'}"
        )
    endpoint = seen.wanted.endpoint
    # Noted before it is done: so it counts for REACTIVATE even if the process dies meanwhile.
    noting.note(seen, action=Watch.Action.REACTIVATED, who=who)
    values = entity(seen.wanted, seen.secrets, number=number, watched=seen.watched)
    seen.webhooks.change(seen.ours.id, values)
    has_arrived = _ping(look(endpoint))
    after = look(endpoint)
    return noting.note(after, has_arrived=has_arrived, counters=_counters(after))


def _may_reactivate(endpoint: str) -> bool:
    limit = conf.current().REACTIVATE
    if limit is False or Watch.objects.reactivated(endpoint).count() >= limit:
        return False
    return not Watch.reactivation_failed(endpoint)


def _counters(seen: Look) -> Counters:
    if seen.ours is None:
        return Counters()
    if seen.ours.counters.consecutive_errors is not None:
        return seen.ours.counters
    return about.counters_of(seen.client, seen.ours, about.version_of(seen.client))


def _ping(seen: Look) -> bool | None:
    """Return whether one of two pings arrives; None if none can be sent."""
    if seen.ours is None or seen.is_elsewhere:
        return None
    if seen.state != ACTIVE or PING not in seen.ours.events:
        return None
    return arriving.ping(seen) or arriving.ping(seen)
