"""The door for Django Tasks: with DISPATCH = "task", each event is one task of the project's queue.

``django.tasks`` is part of Django from 6.0 on; before, the package django-tasks provides the same.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from .dispatching import dispatch_now
from .logs import get_logger
from .models import Event

if TYPE_CHECKING or find_spec("django.tasks"):
    from django.tasks import task
else:
    from django_tasks import task

logger = get_logger(__name__)


@task()
def dispatch_event(pk: int) -> None:
    """Dispatch the event with this primary key, unless somebody else has begun to."""
    for event in Event.objects.filter(pk=pk, status=Event.Status.PENDING):
        dispatch_now(event)


def enqueue(event: Event) -> None:
    """Hand an event to the queue; never raises.

    If the queue is out of reach, the event stays pending and ``superoffice_dispatch`` finds it.
    """
    try:
        dispatch_event.enqueue(event.pk)
    except Exception:
        logger.exception("%s could not be enqueued and waits for superoffice_dispatch", event)
