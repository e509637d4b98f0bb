"""The earlier runs of events, and which receivers a replay is to call because of them."""

from collections.abc import Collection

from django.db import router

from ..models import ReceiverRun, Replay
from ..models.run_queryset import ReceiverRunQuerySet


def runs() -> ReceiverRunQuerySet:
    """Return all runs, read from the database that they are written to."""
    return ReceiverRun.objects.using(router.db_for_write(ReceiverRun))


class Past:
    """The earlier runs of some events.

    Args:
        planned: the replay.
        keys: the primary keys of the events.
    """

    def __init__(self, planned: Replay, keys: Collection[int]) -> None:
        self._planned = planned
        mine = runs().filter(replay=planned, event__in=keys)
        self._settled = mine.filter(outcome__in=ReceiverRun.SETTLED).latest_by_event()
        self._latest: dict[int, dict[str, str]] = {}
        if planned.only_failed:
            self._latest = runs().filter(event__in=keys).latest_by_event()

    def settled(self, key: int) -> dict[str, str]:
        """Return the outcomes of the receivers that this replay need not call again, by path."""
        return self._settled.get(key, {})

    def wants(self, path: str, key: int) -> bool:
        """Return whether the replay is to call this receiver for an event.

        The replay's own runs make no difference. So each process that carries it on decides the
        same.
        """
        if not self._planned.concerns(path):
            return False
        if not self._planned.only_failed or path in self.settled(key):
            return True
        last = self._latest.get(key, {}).get(path)
        return last in ReceiverRun.UNSUCCESSFUL
