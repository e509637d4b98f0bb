"""The dispatch contest: one process works off due events with a receiver that writes one row."""

import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .figures import Bar, Rounds, alternating, milliseconds, spaced, table
from .places import Place
from .queues import DEFAULT, OURS, PROCRASTINATE, Contender, filled

DUE, CALLS = 5000, 1000

PROCRASTINATES = Contender("procrastinated", PROCRASTINATE, apps="procrastinate.contrib.django")
CONTENDERS = {
    "ours, default lanes (2)": DEFAULT,
    "ours, one lane": Contender("due", OURS, hooks={"LANES": 1}),
    "ours, three receivers": replace(DEFAULT, receiver="write three"),
    "django-tasks-db": Contender(
        "tasked", ("db_worker", "--no-startup-delay"), apps="django_tasks django_tasks_db"
    ),
    "procrastinate": PROCRASTINATES,
    "procrastinate, two at a time": replace(
        PROCRASTINATES, command=(*PROCRASTINATE, "--concurrency=2")
    ),
}
DEFAULT_LANES, ONE_LANE, THREE_RECEIVERS, TASKS_DB, TO, TWO_AT_A_TIME = CONTENDERS
ON_SQLITE = [ONE_LANE, THREE_RECEIVERS, TASKS_DB]
"""SQLite has one writer, so one lane; procrastinate is for PostgreSQL alone."""

WHAT = (
    f"{DUE} events are due; one process works {CALLS} of them off, with a receiver that inserts one"
    " row through Django's ORM. Timed from its first call to its last, without the start of the"
    " process; processor time is that process's. The other queues get the notification as the"
    " argument of a task that inserts the same row, and keep no record of receivers."
)


def dispatch_contest(place: Place, rounds: int, before: Path | None) -> tuple[str, list[Bar]]:
    """The table of all contenders that can work on a database, and the bars."""
    names = list(CONTENDERS) if place.is_server else ON_SQLITE
    contenders = {name: CONTENDERS[name] for name in names}
    old = ""
    if before:
        old = f"ours before, {commit(before)}"
        contenders[old] = replace(DEFAULT, checkout=before)
    found = Rounds()
    with ExitStack() as stack:
        ready = {
            name: stack.enter_context(filled(contender, place.url))
            for name, contender in contenders.items()
        }
        for name in alternating(rounds, list(contenders)):
            ready[name].fill(DUE)
            found.add(name, ready[name].work(CALLS))
    to = TO if place.is_server else TASKS_DB
    text = f"### {place.name}, due events\n\n{WHAT}\n\n{table(*_rows(found, to))}"
    return text, bars(found, place, old)


def commit(checkout: Path) -> str:
    """The commit that a checkout is of."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.check_output(command, text=True).strip()


def bars(found: Rounds, place: Place, old: str) -> list[Bar]:
    known = found.by_contender
    mine = DEFAULT_LANES if place.is_server else ONE_LANE
    wanted = [(DEFAULT_LANES, TO, 2.5), (ONE_LANE, TO, 2.0), (mine, old, 3.0)]
    return [
        Bar(
            f"due events per second, {ours} vs {other}, {place.name}",
            f">= {bar:g}",
            f"{found.ratio(ours, other):.2f}",
            found.ratio(ours, other) >= bar,
            f"Processor time per event: {milliseconds(found.cpu(ours))} ms, and"
            f" {milliseconds(found.cpu(other))} ms of {other}.",
        )
        for ours, other, bar in wanted
        if ours in known and other in known
    ]


def _rows(found: Rounds, to: str) -> tuple[list[str], list[list[str]]]:
    head = ["", "events per second", f"times {to}", "CPU ms per event"]
    return head, [
        [
            name,
            spaced(found.throughput(name)),
            f"{found.ratio(name, to):.2f}",
            milliseconds(found.cpu(name)),
        ]
        for name in found.by_contender
    ]
