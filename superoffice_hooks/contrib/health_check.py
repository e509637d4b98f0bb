"""A check for django-health-check: ``"superoffice_hooks.contrib.health_check.Dispatching"``.

It checks what ``superoffice_dispatch --check`` checks. Needs django-health-check 3.20 or newer.
"""

import dataclasses

from django.db import Error
from health_check.exceptions import ServiceUnavailable

from ..models import queue
from ..models.sessions import closed_if_opened
from ..reports.stages import OVERDUE_SECONDS
from ..reports.standing import dispatching_problems

try:
    from health_check.base import HealthCheck
except ImportError:
    # Before 4.0.
    from health_check.backends import HealthCheck


@dataclasses.dataclass
class Dispatching(HealthCheck):  # type: ignore[misc]
    """Checks that due events are dispatched, and that the spool is drained."""

    max_age: float = OVERDUE_SECONDS
    """How many seconds an event may be due, or a delivery in the spool."""

    def run(self) -> None:
        """Check, and return if nothing is wrong.

        Raises:
            ServiceUnavailable: something is wrong, or the database cannot be read.
        """
        try:
            # It may run in a thread of its own, whose connection nobody else closes.
            with closed_if_opened(queue.using()):
                problems = dispatching_problems(self.max_age)
        except Error as error:
            # The text of the error may name the host and the user of the database.
            raise ServiceUnavailable(f"The database: {type(error).__name__}") from error
        if problems:
            raise ServiceUnavailable(" ".join(problems))

    def check_status(self) -> None:
        """Do the same, under the name before version 4.0."""
        self.run()
