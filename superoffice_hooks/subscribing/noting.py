"""Note what was seen and done, and send signals when a webhook stops or comes back."""

from typing import Any

from ..dispatching.announcing import send
from ..models import Watch
from ..signals import webhook_restored, webhook_stopped
from ..superoffice_api.webhooks import Counters
from ..wire.log_fields import fields
from ..wire.logs import get_logger
from ..wire.values import storable
from .comparing import shown
from .looking import Look

logger = get_logger(__name__)


def note(
    seen: Look,
    *,
    counters: Counters | None = None,
    has_arrived: bool | None = None,
    **values: Any,
) -> Watch:
    """Store a look. If a ping was sent, ``has_arrived`` says whether it arrived."""
    if has_arrived is None:
        ping = _last_ping(seen)
    else:
        ping = Watch.Ping.ARRIVED if has_arrived else Watch.Ping.LOST
    counters = counters or (seen.ours.counters if seen.ours else Counters())
    return _note(
        seen.wanted.endpoint,
        tenant=seen.wanted.tenant,
        webhook=seen.ours.id if seen.ours else None,
        state=str(seen.state),
        differences=storable([list(difference) for difference in seen.differences]),
        actual=storable(shown(seen.ours)) if seen.ours else {},
        ping=str(ping),
        total_calls=counters.total_calls,
        total_errors=counters.total_errors,
        consecutive_errors=counters.consecutive_errors,
        last_error=counters.last_error,
        **values,
    )


def _last_ping(seen: Look) -> str:
    """Return the result of the last ping, if the webhook is the same and in the same state."""
    if seen.is_elsewhere:
        return ""
    last = Watch.objects.of(seen.wanted.endpoint).seen().first()
    is_same = last is not None and seen.ours is not None and last.webhook == seen.ours.id
    return last.ping if last and is_same and last.state == seen.state else ""


def note_unknown(endpoint: str, tenant: str, reason: str, **values: Any) -> Watch:
    """Store that the state is not known."""
    state = Watch.State.UNKNOWN.value
    return _note(endpoint, tenant=tenant, state=state, reason=reason, **values)


def _note(endpoint: str, **values: Any) -> Watch:
    watch, before = Watch.note(endpoint, **values)
    if watch.state in (Watch.State.UNKNOWN, Watch.State.SAVING) or watch == before:
        return watch
    was_down = before is not None and before.is_down
    # A webhook that was never there, or that was deleted here on purpose, is not reported.
    is_missed = watch.state != Watch.State.MISSING or (before is not None and not watch.action)
    if watch.is_down and not was_down and is_missed:
        announce_stop(watch)
    elif was_down and not watch.is_down:
        extra = _fields(watch)
        logger.warning("The webhook of %s delivers again", endpoint, extra=extra)
        send(webhook_restored, watch, extra, sender=Watch, watch=watch)
    return watch


def announce_stop(watch: Watch) -> None:
    """Log that a webhook delivers nothing, and send the signal."""
    extra = _fields(watch)
    said = "The webhook of %s delivers nothing: %s"
    logger.error(said, watch.endpoint, _reason(watch), extra=extra)
    send(webhook_stopped, watch, extra, sender=Watch, watch=watch)


def _reason(watch: Watch) -> str:
    if watch.state == Watch.State.ACTIVE and watch.is_elsewhere:
        return "it delivers to another address"
    return "its ping is lost" if watch.ping == Watch.Ping.LOST else watch.state


def _fields(watch: Watch) -> dict[str, Any]:
    return fields(endpoint=watch.endpoint, tenant=watch.tenant)
