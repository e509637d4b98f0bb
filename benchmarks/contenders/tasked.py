"""The receiver's write as a task of Django's, for the worker of django-tasks-db."""

from typing import Any

from django_tasks import task

from . import meter
from .models import Written


@task()
def write_one_row(event: dict[str, Any]) -> None:
    meter.called()
    Written.objects.create(event=event["PrimaryKey"])
