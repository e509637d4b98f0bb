"""The receivers, some that misbehave, and which of them an event asks for."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.dispatch import receiver

from superoffice_hooks import conf
from superoffice_hooks.models import Event, FailureGroup, Replay
from superoffice_hooks.signals import failure_group_opened, on, ticket_changed

from .models import Arrival

STUMBLES = 20
"""Of so many records, one makes a receiver fail the first time."""


def note(who: str, event: Event, replay: Replay | None) -> None:
    """Leave the row by which a test sees that a receiver's work was committed."""
    Arrival.objects.create(
        event_id=event.event_id,
        receiver=who,
        replay_id=replay.pk if replay else None,
        key=event.primary_key,
    )


@receiver(ticket_changed)
def arrive(event: Event, replay: Replay | None, **kwargs: Any) -> None:
    note("arrive", event, replay)
    if replay:
        # So that a test can strike a replay before it has ended.
        time.sleep(0.02)


@receiver(ticket_changed)
def follow(event: Event, replay: Replay | None, **kwargs: Any) -> None:
    note("follow", event, replay)
    if event.primary_key == STUMBLES - 1 and event.attempts < 2 and replay is None:
        raise RuntimeError("the first attempt of this record fails")


@receiver(on("hard.slow"))
def dawdle(event: Event, replay: Replay | None, **kwargs: Any) -> None:
    note("dawdle", event, replay)
    time.sleep(0.3)


def note_all(who: str, events: Iterable[Event], replay: Replay | None) -> None:
    """Leave a row for each event of a call."""
    Arrival.objects.bulk_create(
        Arrival(
            event_id=event.event_id,
            receiver=who,
            replay_id=replay.pk if replay else None,
            key=event.primary_key,
        )
        for event in events
    )


@receiver(on("hard.gathered"), settle=5, at_most=20)
def settle_together(events: Iterable[Event], replay: Replay | None, **kwargs: Any) -> None:
    note_all("settle_together", events, replay)
    time.sleep(0.02)


GATHERED = {"settle_together"}

if not conf.current().ORDERED:

    @receiver(on("hard.gathered"), batch=50, within=1)
    def fill_a_batch(events: Iterable[Event], replay: Replay | None, **kwargs: Any) -> None:
        note_all("fill_a_batch", events, replay)
        time.sleep(0.02)

    GATHERED.add("fill_a_batch")


@receiver(on("hard.crowded"), settle=0.2, at_most=1)
def settle_at_once(events: Iterable[Event], replay: Replay | None, **kwargs: Any) -> None:
    note_all("settle_at_once", events, replay)


CROWDED = {"settle_at_once"}

if not conf.current().ORDERED:

    @receiver(on("hard.crowded"), batch=10, within=0.2)
    def fill_a_small_batch(events: Iterable[Event], replay: Replay | None, **kwargs: Any) -> None:
        note_all("fill_a_small_batch", events, replay)

    @receiver(on("hard.crowded"), batch=7, within=0.2)
    def fill_another_batch(events: Iterable[Event], replay: Replay | None, **kwargs: Any) -> None:
        note_all("fill_another_batch", events, replay)

    CROWDED |= {"fill_a_small_batch", "fill_another_batch"}


@receiver(on("hard.kills"))
def kill_the_process(**kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@receiver(on("hard.hangs"))
def outlive_the_lease(event: Event, replay: Replay | None, **kwargs: Any) -> None:
    time.sleep(float(os.environ.get("HARD_HANG_SECONDS", "0")))
    note("outlive_the_lease", event, replay)


def meet(kind: int) -> None:
    """Wait for another process in which an event of the same kind is about to fail."""
    place = Path(os.environ["HARD_MEETING"]) / str(kind)
    place.mkdir(exist_ok=True)
    (place / str(os.getpid())).touch()
    give_up_at = time.monotonic() + 3
    while len(list(place.iterdir())) < 2 and time.monotonic() < give_up_at:
        time.sleep(0.001)


@receiver(on("hard.fails"), atomic=False)
def fail_together(event: Event, **kwargs: Any) -> None:
    kind = (event.primary_key or 0) // 2
    meet(kind)
    raise type(f"Kind{kind}", (ValueError,), {})


@receiver(failure_group_opened)
def note_group(event: Event, group: FailureGroup, **kwargs: Any) -> None:
    values = {"receiver": "failure_group_opened", "key": group.pk}
    Arrival.objects.create(event_id=event.event_id, **values)


if "HARD_LATE" in os.environ:

    @receiver(on("*"))
    def come_late(event: Event, replay: Replay | None, **kwargs: Any) -> None:
        """Stand for a receiver that was deployed after the events were finished."""
        note("come_late", event, replay)


ASKED = {
    "ticket.changed": {"arrive", "follow"},
    "hard.slow": {"dawdle"},
    "hard.kills": {"kill_the_process"},
    "hard.hangs": {"outlive_the_lease"},
    "hard.gathered": GATHERED,
    "hard.crowded": CROWDED,
}
"""Which receivers are called for an event of each name."""
