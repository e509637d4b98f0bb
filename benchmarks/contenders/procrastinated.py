"""The receiver's write as a task of procrastinate."""

from typing import Any

from procrastinate.contrib.django import app

from . import meter
from .models import Written


@app.task
def write_one_row(event: dict[str, Any]) -> None:
    meter.called()
    Written.objects.create(event=event["PrimaryKey"])
