"""Django Tasks: with DISPATCH = "task", each event is a task in the project's task queue.

``django.tasks`` is part of Django from 6.0 on; before, the package django-tasks provides the same.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.db import router

from .dispatching.in_thread import dispatch_now
from .models import Event, Replay, queue
from .replay.running import carry_on
from .wire.log_fields import fields
from .wire.logs import get_logger

if TYPE_CHECKING or find_spec("django.tasks"):
    from django.tasks import task
else:
    from django_tasks import task

logger = get_logger(__name__)


@task()
def dispatch_event(pk: int) -> None:
    """Dispatch the event with this primary key, unless another process has begun it."""
    event = queue.events().filter(pk=pk).first()
    if event is not None and queue.hurry(event):
        dispatch_now(event)


@task()
def carry_on_replay(pk: int) -> None:
    """Carry the replay with this primary key on, unless another process does."""
    replay = Replay.objects.using(router.db_for_write(Replay)).filter(pk=pk).first()
    for _ in carry_on(replay) if replay is not None else ():
        pass


class Pause:
    """The time after a failure in which this process enqueues nothing.

    So deliveries need not wait for a task queue that is out of reach.
    """

    seconds = 5.0

    def __init__(self) -> None:
        self._until = 0.0

    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def begin(self) -> None:
        self._until = time.monotonic() + self.seconds

    def end(self) -> None:
        self._until = 0.0


pause = Pause()


def enqueue(event: Event) -> None:
    """Put an event into the task queue; never raises.

    If the task queue is out of reach, ``superoffice_dispatch`` claims the event after a lease.
    """
    _enqueue(dispatch_event.enqueue, event, fields(event=event))


def enqueue_replay(replay: Replay) -> None:
    """Put a replay into the task queue; never raises.

    If the task queue is out of reach, ``superoffice_dispatch`` carries the replay on.
    """
    _enqueue(carry_on_replay.enqueue, replay, fields(replay=replay.pk))


def _enqueue(
    enqueue: Callable[[int], object], row: Event | Replay, extra: dict[str, object]
) -> None:
    """Enqueue the task of a row, unless the task queue was out of reach some seconds ago."""
    if not pause.is_over():
        said = "%s waits for superoffice_dispatch: the queue was out of reach"
        logger.warning(said, row, extra=extra)
        return
    try:
        enqueue(row.pk)
    except Exception:
        pause.begin()
        said = "%s could not be enqueued and waits for superoffice_dispatch"
        logger.exception(said, row, extra=extra)
