"""A weekend at the help desk, written into the database: what people find on Monday morning.

Five ordinary weeks, and since Friday evening:

- The notice board is down, so ``note_priority`` fails, for ticket 527331 too.
- The tickets of one customer meet a unique constraint, so ``follow_ticket`` fails.
- There is no exchange rate for one currency, so ``pay_commission`` gives up, as it always did.
- SuperOffice has ended the webhook of the endpoint "partner", which is silent since then.
- The dispatcher has died, so the newest events are overdue; so has somebody's replay.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from superoffice_hooks.models import (
    ChangeSet,
    Dispatcher,
    Event,
    ReceiverRun,
    Redelivery,
    Rejection,
    Replay,
)
from superoffice_hooks.testing import notification

from . import weekend_news as news
from .weekend_calls import BOARD, NO_RATE, RECEIVERS, Calls, Trouble
from .weekend_news import News

EVENTS = 50_000
FEWEST = 500
BATCH = 2_000
WEEKS = 5

DEAD = "desk1", 4711
CLAIMER = "{} pid {}".format(*DEAD)
"""The host and the process of the dispatcher that died."""


def friday_evening(now: datetime) -> datetime:
    """Return the last Friday 18:00 that is twelve hours past or more, as "since Friday" means it.

    Before that, it is still the week that people speak of.
    """
    past = timezone.localtime(now) - timedelta(hours=12)
    evening = past.replace(hour=18, minute=0, second=0, microsecond=0)
    evening -= timedelta(days=(evening.weekday() - 4) % 7)
    return evening if evening <= past else evening - timedelta(days=7)


class Weekend:
    """When what happened, and who is concerned."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.began = friday_evening(now)
        self.died_at = self.at(0.97)

    def at(self, share: float) -> datetime:
        """Return when this share of the time since Friday evening was over."""
        return self.began + share * (self.now - self.began)

    def fill(self, events: int) -> None:
        """Write so many events, and what belongs to them."""
        self.random = Random(events)  # noqa: S311  (made-up data)
        self.calls = Calls(
            self.random,
            self.died_at,
            board_down=(self.at(0.05), self.at(0.85)),
            conflict_since=self.at(0.3),
            weekend_since=self.began,
        )
        told = [*news.of_partner(self.now), *news.of_weekend(self.at)]
        told += self._ordinary(events - len(told))
        told.sort(key=lambda one: one.at)
        with transaction.atomic():
            for start in range(0, len(told), BATCH):
                self._write(told[start : start + BATCH])
            self._dispatcher()
            self._replays()
            self._rejections()
            for group in self.calls.groups.values():
                group.save()

    def _ordinary(self, events: int) -> Iterator[News]:
        """Yield what happens anyway: seven of ten before the weekend, by day more than by night."""
        before = self.began - timedelta(weeks=WEEKS)
        silent_since = self.at(news.SILENT_SINCE)
        for number in range(events):
            if number < events * 0.3:
                at = self.at(self.random.random())
            else:
                at = before + self.random.random() * (self.began - before)
                if not 7 <= at.hour < 18 and self.random.random() < 0.7:
                    at = at.replace(hour=self.random.randrange(7, 18))
            yield news.ordinary(self.random, min(at, self.now), silent_since)

    def _write(self, some: Iterable[News]) -> None:
        events, runs = [], list[ReceiverRun]()
        for one in some:
            event = self._event(one)
            events.append(event)
            of_event = list(self.calls.of(event))
            for run in {run.receiver: run for run in of_event}.values():
                is_over = event.status == Event.Status.HANDLED or run.succeeded_in is not None
                run.counts_in_group = not is_over
            runs += of_event
        Event.objects.bulk_create(events)
        for run in runs:
            run.event_id = run.event.pk
        ReceiverRun.objects.bulk_create(sorted(runs, key=lambda run: run.started_at))
        Redelivery.objects.bulk_create(
            Redelivery(event=event, received_at=event.received_at + timedelta(seconds=4), retry=1)
            for event in events
            if event.pk % 97 == 0
        )

    def _event(self, one: News) -> Event:
        sent = notification(
            one.name,
            EventId=str(UUID(int=self.random.getrandbits(128), version=4)),
            Timestamp=f"{one.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            PrimaryKey=one.primary_key,
            ContextIdentifier=one.tenant,
            ChangedByAssociateId=one.associate,
            Changes=list(one.changes),
            FieldValues=one.values,
            WebhookName=one.webhook,
        )
        entity, _, action = one.name.rpartition(".")
        change_set = self._change_set(entity, one.changes)
        return Event(
            event_id=sent["EventId"],
            name=one.name,
            entity=entity,
            action=action,
            primary_key=one.primary_key,
            tenant=one.tenant,
            associate_id=one.associate,
            is_own=one.associate == news.ROBOT,
            webhook_name=one.webhook,
            endpoint=one.endpoint,
            occurred_at=one.at,
            received_at=one.at + timedelta(seconds=0.4),
            payload=sent,
            change_set=change_set,
            body=json.dumps(sent).encode(),
            headers={"X-SuperOffice-Event": one.name, "X-SuperOffice-EventId": sent["EventId"]},
            remote_addr="203.0.113.25",
        )

    @cache  # noqa: B019  (one weekend lives as long as the command)
    def _change_set(self, entity: str, names: tuple[str, ...]) -> ChangeSet | None:
        return ChangeSet.objects.for_names(entity, names)

    def _dispatcher(self) -> None:
        host, pid = DEAD
        Dispatcher.objects.create(
            kind=Dispatcher.Kind.COMMAND, host=host, pid=pid, lanes=2,
            started_at=self.began - timedelta(days=9), seen_at=self.died_at,
        )  # fmt: skip
        # It had begun one of them.
        begun = Event.objects.filter(status=Event.Status.PENDING, attempts=0).earliest("pk")
        begun.claim, begun.attempts = 1, 1
        begun.begun_by, begun.begun_at = f"{host} pid {pid}", self.died_at
        begun.next_attempt_at = self.died_at + timedelta(minutes=5)
        begun.save()

    def _replays(self) -> None:
        """Write one that came to its end, one that was cancelled, and one whose process died."""
        times = [self.at(share) for share in (0.4, 0.6, 0.965)]
        ends = [time + timedelta(minutes=1) for time in times]
        reasons = "The exchange rates were imported.", "Is the board back?", "The board is back."
        self._replay(NO_RATE, times[0], 1.0, reason=reasons[0], finished_at=ends[0])
        cancelled = {"finished_at": ends[1], "cancelled_by": "anna"}
        self._replay(BOARD, times[1], 0.1, reason=reasons[1], **cancelled)
        dead = {
            "claim": 1,
            "claimed_by": CLAIMER,
            "claimed_until": self.died_at + timedelta(minutes=5),
        }
        self._replay(BOARD, times[2], 0.1, reason=reasons[2], **dead)

    def _replay(self, of: Trouble, at: datetime, share: float, **columns: Any) -> None:
        """Write a replay of what failed of a trouble, that has come so far, and its runs."""
        receiver = f"{RECEIVERS}.{of.receiver}"
        criteria = {"failing": receiver, "since": str(self.began), "status": "failed"}
        failing = ReceiverRun.objects.filter(receiver=receiver).failing()
        events = list(
            Event.objects.filter(
                status=Event.Status.FAILED, received_at__gte=self.began, finished_at__lt=at,
                pk__in=failing.values("event"),
            ).order_by("pk")
        )  # fmt: skip
        tried = events[: max(1, int(share * len(events)))]
        replay = Replay.objects.create(
            who="anna", criteria=criteria, receivers=[receiver], only_failed=True,
            planned=len(events), up_to=events[-1].pk, position=tried[-1].pk, created_at=at,
            **columns,
        )  # fmt: skip
        earlier = ReceiverRun.objects.filter(event__in=[event.pk for event in tried])
        earlier.filter(receiver=receiver).update(counts_in_group=False)
        runs = [self.calls.again(event, of.receiver, at, replay) for event in tried]
        ReceiverRun.objects.bulk_create(runs)
        done = [run.event_id for run in runs if run.outcome == ReceiverRun.Outcome.SUCCEEDED]
        # Those for which no other receiver still fails.
        mended = Event.objects.filter(pk__in=done).exclude(runs__counts_in_group=True)
        mended.update(status=Event.Status.SUCCEEDED)
        replay.done, replay.failed = len(done), len(runs) - len(done)
        replay.save()

    def _rejections(self) -> None:
        """Write what an old secret signed, and a delivery that was cut off."""
        Rejection.objects.bulk_create(
            Rejection(
                received_at=self.at(number / 25), endpoint="default", reason="signature wrong",
                verified=False, headers={}, body=b"{}", remote_addr="198.51.100.7",
            )
            for number in range(24)
        )  # fmt: skip
        Rejection.objects.create(
            received_at=self.at(0.7), endpoint="default", reason="no JSON object", verified=True,
            headers={}, body=b'{"Event": "ticket.changed", "PrimaryKey": 52', remote_addr=None,
        )  # fmt: skip


def fill(events: int = EVENTS, now: datetime | None = None) -> Weekend:
    """Write the weekend that ends now into the database; return when what happened."""
    weekend = Weekend(now or timezone.now())
    weekend.fill(max(events, FEWEST))
    return weekend
