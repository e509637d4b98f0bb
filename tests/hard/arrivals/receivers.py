"""The receivers, some that misbehave, and which of them an event asks for."""

import os
import signal
import time
from typing import Any

from django.dispatch import receiver

from superoffice_hooks.models import Event, Replay
from superoffice_hooks.signals import on, ticket_changed

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


@receiver(on("hard.kills"))
def kill_the_process(**kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@receiver(on("hard.hangs"))
def outlive_the_lease(event: Event, replay: Replay | None, **kwargs: Any) -> None:
    time.sleep(float(os.environ.get("HARD_HANG_SECONDS", "0")))
    note("outlive_the_lease", event, replay)


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
}
"""Which receivers are called for an event of each name."""
