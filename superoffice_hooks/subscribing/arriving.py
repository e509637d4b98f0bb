"""Whether what SuperOffice sends arrives in our tables."""

import time
from collections.abc import Callable
from random import randrange

from django.db import router

from ..models import Event, Redelivery
from ..superoffice_api import patience
from ..superoffice_api.webhooks import Tested
from ..wire import event_names
from ..wire.event_names import PING
from .comparing import entity
from .looking import Look

ARRIVAL_SECONDS = 15.0
"""How long a ping or a test is waited for."""

_PAUSE = 0.1
_LARGEST_KEY = 2**31 - 1


def ping(look: Look) -> bool:
    """Raise our own event, and return whether it arrives."""
    number = randrange(1, _LARGEST_KEY)  # noqa: S311  (a number to know it by)
    look.webhooks.signal(PING, number)
    arrived = Event.objects.using(router.db_for_write(Event)).filter(
        primary_key=number, name=PING, endpoint=look.wanted.endpoint
    )
    return _comes(arrived.exists)


def test(look: Look, number: int) -> tuple[Tested, bool]:
    """Let SuperOffice send a test, signed with the secret of this number.

    Returns:
        What SuperOffice says of it, and whether the test event arrived in our tables.
    """
    before = _newest_test(look.wanted.endpoint)
    values = entity(look.wanted, look.secrets, number=number, watched=look.watched)
    tested = look.webhooks.test(values)
    if not tested.succeeded:
        return tested, False
    return tested, _comes(lambda: _newest_test(look.wanted.endpoint) != before)


def _newest_test(endpoint: str) -> tuple[int | None, int | None]:
    """Return the newest test event and the newest redelivery of one, by primary key."""
    events = Event.objects.using(router.db_for_write(Event))
    tests = events.filter(name=event_names.TEST, endpoint=endpoint)
    again = Redelivery.objects.using(tests.db).filter(event__in=tests.values("pk"))
    return (
        tests.order_by("-pk").values_list("pk", flat=True).first(),
        again.order_by("-pk").values_list("pk", flat=True).first(),
    )


def _comes(is_there: Callable[[], bool]) -> bool:
    end = time.monotonic() + patience.left(ARRIVAL_SECONDS)
    while not is_there():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True
