"""Actions of a person on a webhook, from a page or the API: test it, ping it, activate it again."""

from collections.abc import Callable
from typing import NamedTuple

from django.utils.translation import gettext

from ..models import Watch
from ..superoffice_api import deadline
from ..superoffice_api.errors import ApiError
from ..superoffice_api.webhooks import ACTIVE, STOPPED, TOO_MANY_ERRORS, Webhook
from ..wire.event_names import PING
from . import arriving, configured, noting, watching
from .configured import NotPossible
from .looking import Look, look

SECONDS = 20.0
"""How long a person waits: less than the time-out of a web server."""

STOPPED_STATES = (STOPPED, TOO_MANY_ERRORS)
"""The states from which a webhook is activated again."""


class Result(NamedTuple):
    """The result of an action."""

    is_well: bool
    sentence: str


def act(endpoint: str, action: str, *, who: str) -> Result:
    """Do one of ACTIONS on the webhook of an endpoint, and note what was seen.

    Args:
        endpoint: one of WEBHOOKS.
        action: one of ACTIONS.
        who: the person who does it.

    Raises:
        NotPossible: it cannot be done as things are now; SuperOffice was left as it is.
        ApiError: it was not done, or it is not known whether it was.
    """
    tenant = configured.wanted_of(endpoint).tenant
    try:
        with deadline.within(SECONDS):
            return ACTIONS[action](look(endpoint), who)
    except NotPossible:
        raise
    except ApiError as error:
        noting.note_unknown(endpoint, tenant, str(error), who=who, action=_NOTED[action])
        raise


def _test(seen: Look, who: str) -> Result:
    ours = _ours(seen)
    tested, has_arrived = arriving.test(seen, max(ours.secret_number or 0, 0))
    noting.note(seen, action=Watch.Action.TESTED, who=who)
    if not tested.succeeded:
        said = {"url": seen.wanted.url, "message": tested.message or "-"}
        return Result(
            False,
            gettext("SuperOffice cannot deliver to %(url)s. It wrote: %(message)s") % said,
        )
    if not has_arrived:
        return Result(
            False,
            gettext(
                "SuperOffice was answered 200, but no test event has arrived in this database. Does"
                " %(url)s lead to this project?"
            )
            % {"url": seen.wanted.url},
        )
    return Result(True, gettext("SuperOffice has sent a test event, and it has arrived."))


def _ping(seen: Look, who: str) -> Result:
    ours = _ours(seen)
    if seen.state != ACTIVE:
        noting.note(seen)
        raise NotPossible(f"The webhook is {seen.state}, so SuperOffice would not deliver a ping.")
    if PING not in ours.events:
        raise NotPossible(
            f"The webhook does not list the event {PING}. Allow the ping in WEBHOOKS, and run"
            " superoffice_subscribe --apply."
        )
    has_arrived = arriving.ping(seen)
    noting.note(seen, has_arrived=has_arrived, action=Watch.Action.PINGED, who=who)
    if has_arrived:
        return Result(True, gettext("The ping has arrived."))
    return Result(False, gettext("The ping has not arrived."))


def _reactivate(seen: Look, who: str) -> Result:
    _ours(seen)
    if seen.state not in STOPPED_STATES:
        noting.note(seen)
        raise NotPossible(f"The webhook is {seen.state}, so it was left as it is.")
    # Noted first: if SuperOffice refuses what follows, the page shows the state of the webhook.
    noting.note(seen)
    after = watching.reactivate(seen, who=who)
    if not after.is_down:
        return Result(True, gettext("The webhook is active again."))
    if after.state == Watch.State.ACTIVE:
        return Result(False, gettext("The webhook is active again, but its ping has not arrived."))
    return Result(False, gettext("The webhook was activated, and has been ended again."))


def _ours(seen: Look) -> Webhook:
    if seen.ours is None:
        noting.note(seen)
        raise NotPossible(
            f"SuperOffice has {len(seen.matching) or 'no'} webhooks for {seen.wanted.url}, so it is"
            " not clear which one is meant. Compare them with superoffice_subscribe."
        )
    if seen.is_elsewhere:
        noting.note(seen)
        raise NotPossible(
            f"Webhook {seen.ours.id} delivers to {seen.ours.url}, and not to {seen.wanted.url}."
            " superoffice_subscribe --apply puts that right."
        )
    return seen.ours


ACTIONS: dict[str, Callable[[Look, str], Result]] = {
    "test": _test,
    "ping": _ping,
    "reactivate": _reactivate,
}
_NOTED = {
    "test": Watch.Action.TESTED,
    "ping": Watch.Action.PINGED,
    "reactivate": Watch.Action.REACTIVATED,
}
