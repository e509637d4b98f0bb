"""The door for Django Tasks: with DISPATCH = "task", each event is one task of the project's queue.

``django.tasks`` is part of Django from 6.0 on; before, the package django-tasks provides the same.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.db import router

from .dispatching import dispatch_now
from .logs import get_logger
from .models import Event, Replay, queue
from .replaying import carry_on

if TYPE_CHECKING or find_spec("django.tasks"):
    from django.tasks import task
else:
    from django_tasks import task

logger = get_logger(__name__)


@task()
def dispatch_event(pk: int) -> None:
    """Dispatch the event with this primary key, unless somebody else has begun to."""
    event = queue.events().filter(pk=pk).first()
    if event is not None and queue.hurry(event):
        dispatch_now(event)


@task()
def carry_on_replay(pk: int) -> None:
    """Carry the replay with this primary key on, unless somebody else does."""
    replay = Replay.objects.using(router.db_for_write(Replay)).filter(pk=pk).first()
    for _ in carry_on(replay) if replay is not None else ():
        pass


def enqueue(event: Event) -> None:
    """Hand an event to the queue; never raises.

    If the queue is out of reach, ``superoffice_dispatch`` finds the event when its lease has ended.
    """
    try:
        dispatch_event.enqueue(event.pk)
    except Exception:
        logger.exception("%s could not be enqueued and waits for superoffice_dispatch", event)


def enqueue_replay(replay: Replay) -> None:
    """Hand a replay to the queue; never raises.

    If the queue is out of reach, ``superoffice_dispatch`` carries it on.
    """
    try:
        carry_on_replay.enqueue(replay.pk)
    except Exception:
        logger.exception("%s could not be enqueued and waits for superoffice_dispatch", replay)
