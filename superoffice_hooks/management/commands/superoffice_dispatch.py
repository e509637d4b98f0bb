"""``manage.py superoffice_dispatch``: the dispatcher in a process of its own."""

import time
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from ... import conf
from ...dispatcher import Keeper, Lane, Lanes, calls_in_this_thread
from ...models import Dispatcher, queue
from ...reports import standing
from ...reports.stages import OVERDUE_SECONDS
from ..options import counted
from ..stop_signals import stopped_by_signals

_STOP_SECONDS = 3600.0
"""How long the command waits at its end for receivers that are being called."""

_SIGNAL_SECONDS = 0.05
"""How often the main thread looks for a signal to stop."""


class Command(BaseCommand):
    help = (
        "Dispatches the events that are due: new ones, ones to be retried, and ones whose process"
        " died. Drains the spool and carries on replays that no process works on. Any number of"
        " these may run side by side."
    )
    # A wrong setting, such as a missing spool directory, must not stop the dispatching.
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            action="store_true",
            help="stay, and look again and again, until SIGTERM or Ctrl-C",
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="dispatch nothing; exit with 1 if something due has waited too long, or if no"
            " dispatcher has been seen lately, and say which",
        )
        parser.add_argument(
            "--lanes", type=int, help="how many threads call receivers (default: the LANES setting)"
        )
        parser.add_argument(
            "--batch",
            type=int,
            default=50,
            help="the maximum number of events claimed at a time (default: 50)",
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=2.0,
            help="the longest pause between two looks when nothing is due, in seconds (default: 2)",
        )
        parser.add_argument(
            "--max-age",
            type=float,
            default=OVERDUE_SECONDS,
            help="with --check: how many seconds something due may wait"
            f" (default: {OVERDUE_SECONDS:g})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError(f"--batch is {options['batch']}; it must be at least 1.")
        if options["check"]:
            self.check_health(options["max_age"])
        else:
            self.dispatch(options)

    def check_health(self, max_age: float) -> None:
        """Print what is wrong with the dispatching; exit with 1 if anything is."""
        problems = standing.dispatching_problems(max_age)
        if problems:
            raise CommandError("\n".join(problems))
        self.stdout.write("Nothing due has waited too long, and a dispatcher was seen lately.")

    def dispatch(self, options: dict[str, Any]) -> None:
        """Dispatch what is due, once or until a signal to stop."""
        lanes = Lanes(
            Dispatcher.Kind.COMMAND,
            self.lane_count(options["lanes"]),
            limit=options["batch"],
            longest_pause=options["interval"],
            is_seen=options["watch"],
            ends_when_idle=not options["watch"],
        )
        with stopped_by_signals(lanes.tell_to_stop):
            self.watch(lanes) if options["watch"] else self.once(lanes)
        self.stdout.write(_summary(lanes.outcomes, lanes.upkeep.replayed))

    def watch(self, lanes: Lanes) -> None:
        """Dispatch until a signal to stop."""
        keeper = Keeper(lanes)
        lanes.start()
        keeper.start()
        try:
            while not lanes.is_stopping:
                time.sleep(_SIGNAL_SECONDS)
        finally:
            lanes.stop(_STOP_SECONDS)
            keeper.stop()

    def once(self, lanes: Lanes) -> None:
        """Dispatch until nothing is due; this thread is one of the lanes."""
        is_alone = calls_in_this_thread()
        keeper = Keeper(lanes)
        if not is_alone:
            keeper.start()
        lane = Lane(lanes)
        lanes.lanes.append(lane)
        if not is_alone:
            lanes.start()
        try:
            lane.run_until_idle()
            lanes.lanes.remove(lane)
            while lanes.lanes and not lanes.is_stopping:
                time.sleep(_SIGNAL_SECONDS)
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {error}") from error
        finally:
            lane.end()
            lanes.stop(_STOP_SECONDS)
            keeper.stop()

    def lane_count(self, lanes: int | None) -> int:
        """Return the number of lanes: one on SQLite, which has one writer."""
        if calls_in_this_thread() or connections[queue.using()].vendor == "sqlite":
            return 1
        return max(conf.current().LANES if lanes is None else lanes, 1)


def _summary(outcomes: Counter[str], replayed: int) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in sorted((+outcomes).items()))
    summary = "No event was due."
    if outcomes:
        summary = f"{_events(outcomes.total())} dispatched: {counts}."
    return f"{summary} {_events(replayed)} replayed." if replayed else summary


def _events(number: int) -> str:
    return f"{counted(number, 'event')} {'was' if number == 1 else 'were'}"
