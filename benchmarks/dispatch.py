"""The dispatch contest: one process works off due events with a receiver that writes one row."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .figures import Bar, Rounds, alternating, table
from .places import Place
from .queues import OURS, PROCRASTINATE, Contender, filled

DUE, CALLS = 5000, 1500

LANES = 2
"""What the setting is by default; procrastinate has as many at a time in one of its rows."""

ONE_LANE = Contender("due", OURS, hooks={"LANES": 1})
DEFAULT = Contender("due", OURS)
TASKS_DB = Contender(
    "tasked", ("db_worker", "--no-startup-delay"), apps="django_tasks django_tasks_db"
)
PROCRASTINATES = Contender("procrastinated", PROCRASTINATE, apps="procrastinate.contrib.django")

CONTENDERS = {
    "default lanes": DEFAULT,
    "one lane": ONE_LANE,
    "three receivers": replace(DEFAULT, receiver="write three"),
    "django-tasks-db": TASKS_DB,
    "procrastinate": PROCRASTINATES,
    f"procrastinate, {LANES} at a time": replace(
        PROCRASTINATES, command=(*PROCRASTINATE, f"--concurrency={LANES}")
    ),
}


def dispatch_contest(place: Place, rounds: int, before: Path | None) -> Rounds:
    """Rounds of all contenders that can work on a database."""
    contenders = dict(CONTENDERS)
    if not place.is_server:
        # SQLite has one lane, and procrastinate is for PostgreSQL alone.
        contenders = {
            name: contenders[name] for name in ("one lane", "three receivers", "django-tasks-db")
        }
    if before:
        contenders["before"] = Contender("due", OURS, checkout=before)
    found = Rounds()
    with ExitStack() as stack:
        ready = {
            name: stack.enter_context(filled(contender, place.url))
            for name, contender in contenders.items()
        }
        for name in alternating(rounds, list(contenders)):
            ready[name].fill(DUE)
            found.add(name, ready[name].work(CALLS))
    return found
