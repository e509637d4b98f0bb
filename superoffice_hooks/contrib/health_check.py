"""A check for django-health-check: ``"superoffice_hooks.contrib.health_check.Dispatching"``.

It says what ``superoffice_dispatch --check`` says. Needs django-health-check 3.20 or newer.
"""

import dataclasses

from django.db import Error, connections
from health_check.exceptions import ServiceUnavailable

from ..models import queue
from ..reports.stages import OVERDUE_SECONDS
from ..reports.standing import dispatching_problems

try:
    from health_check.base import HealthCheck
except ImportError:
    # Before 4.0.
    from health_check.backends import HealthCheck


@dataclasses.dataclass
class Dispatching(HealthCheck):  # type: ignore[misc]
    """Whether what is due is dispatched, and the spool drained."""

    max_age: float = OVERDUE_SECONDS
    """How many seconds something due may wait."""

    def run(self) -> None:
        """Look, and return if all is well.

        Raises:
            ServiceUnavailable: something is not, or the database cannot be read.
        """
        connection = connections[queue.using()]
        was_open = connection.connection is not None
        try:
            problems = dispatching_problems(self.max_age)
        except Error as error:
            # Its text may name the host and the user of the database.
            raise ServiceUnavailable(f"The database: {type(error).__name__}") from error
        finally:
            # It may run in a thread of its own, whose connection nobody else closes.
            if not was_open:
                connection.close()
        if problems:
            raise ServiceUnavailable(" ".join(problems))

    def check_status(self) -> None:
        """Do the same, by the name that it has before 4.0."""
        self.run()
