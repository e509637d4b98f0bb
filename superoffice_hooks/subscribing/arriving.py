"""Check whether what SuperOffice sends arrives in our tables."""

import time
from collections.abc import Callable
from random import randrange

from ..models import Redelivery, queue
from ..superoffice_api import deadline
from ..superoffice_api.webhooks import Tested
from ..wire import event_names
from ..wire.event_names import PING
from .comparing import entity
from .looking import Look

ARRIVAL_SECONDS = 15.0
"""How long to wait for a ping or a test event."""

_PAUSE = 0.1
_LARGEST_KEY = 2**31 - 1


def ping(look: Look) -> bool:
    """Raise our own event at SuperOffice; return whether it arrives."""
    number = randrange(1, _LARGEST_KEY)  # noqa: S311  (it identifies the ping; it is no secret)
    look.webhooks.signal(PING, number)
    endpoint = look.wanted.endpoint
    arrived = queue.events().filter(primary_key=number, name=PING, endpoint=endpoint)
    return _becomes_true(arrived.exists)


def test(look: Look, number: int) -> tuple[Tested, bool]:
    """Let SuperOffice send a test event, signed with the secret of this number.

    Returns:
        SuperOffice's result, and whether the test event arrived in our tables.
    """
    before = _newest_test(look.wanted.endpoint)
    values = entity(look.wanted, look.secrets, number=number, watched=look.watched)
    tested = look.webhooks.test(values)
    if not tested.succeeded:
        return tested, False
    return tested, _becomes_true(lambda: _newest_test(look.wanted.endpoint) != before)


def _newest_test(endpoint: str) -> tuple[int | None, int | None]:
    """Return the primary keys of the newest test event and of the newest redelivery of one."""
    tests = queue.events().filter(name=event_names.TEST, endpoint=endpoint)
    again = Redelivery.objects.using(tests.db).filter(event__in=tests.values("pk"))
    return (
        tests.order_by("-pk").values_list("pk", flat=True).first(),
        again.order_by("-pk").values_list("pk", flat=True).first(),
    )


def _becomes_true(has_arrived: Callable[[], bool]) -> bool:
    end = time.monotonic() + deadline.left(ARRIVAL_SECONDS)
    while not has_arrived():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True
