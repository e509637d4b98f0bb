"""Steps of the lifecycle for several events at once: one statement, where each would cost one.

As in the lifecycle itself, every change is bound to the claim it belongs to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db import connections, router, transaction
from django.db.models import F
from django.utils import timezone

from .event import Event, EventQuerySet
from .lifecycle import lease


class Together:
    """Events that this process claims together: those that nobody else holds."""

    def __init__(self, events: Collection[Event]) -> None:
        self._before = {event.pk: event.status for event in events}
        self._using = router.db_for_write(Event)
        self.claimed = {event.pk: event for event in self._claim(events)}
        """By primary key."""

    def conclude(self, status: Event.Status, keys: Collection[int]) -> None:
        """End the claims on these events for good."""
        self._end(keys, status=status, next_attempt_at=None, finished_at=timezone.now())

    def put_back(self, keys: Iterable[int]) -> None:
        """Give the claims on these events back unused; the attempts do not count."""
        by_status = defaultdict(list)
        for key in keys:
            by_status[self._before[key]].append(key)
        for status, same in by_status.items():
            undone: dict[str, Any] = {"status": status, "attempts": F("attempts") - 1}
            if status == Event.Status.RUNNING:
                # It was abandoned, and is so still.
                undone |= {"status": Event.Status.PENDING, "next_attempt_at": timezone.now()}
            self._end(same, **undone)

    def _claim(self, events: Collection[Event]) -> Iterable[Event]:
        if not connections[self._using].features.has_select_for_update:
            with transaction.atomic(using=self._using):
                return [event for event in events if event.claim()]
        until = lease()
        with transaction.atomic(using=self._using):
            # In one order, lest two processes wait for each other; and not skipping what is locked:
            # a lock is held for a moment, and whoever was skipped would be left out.
            free = self._rows(self._before).claimable().order_by("pk").select_for_update()
            attempts = dict(free.values_list("pk", "attempts"))
            self._rows(attempts).update(
                status=Event.Status.RUNNING, claimed_until=until, attempts=F("attempts") + 1
            )
        claimed = [event for event in events if event.pk in attempts]
        for event in claimed:
            event.status, event.claimed_until = Event.Status.RUNNING, until
            event.attempts = attempts[event.pk] + 1
        return claimed

    def _end(self, keys: Collection[int], **changes: Any) -> None:
        claims = {self.claimed[key].claimed_until for key in keys}
        held = self._rows(keys).filter(status=Event.Status.RUNNING, claimed_until__in=claims)
        held.update(claimed_until=None, **changes)

    def _rows(self, keys: Iterable[int]) -> EventQuerySet:
        return Event.objects.using(self._using).filter(pk__in=list(keys))
