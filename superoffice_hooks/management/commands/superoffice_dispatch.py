"""``manage.py superoffice_dispatch``: the dispatcher in a process of its own."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from superoffice_hooks import conf, watching
from superoffice_hooks.dispatcher import Keeper, Lane, Lanes, Upkeep, calls_in_this_thread
from superoffice_hooks.models import Dispatcher, queue

_STOP_SECONDS = 3600.0
"""How long the end waits for receivers that are being called; SIGKILL is there for less."""

_SIGNAL_SECONDS = 0.05
"""How often the main thread looks whether it was told to stop."""


class Command(BaseCommand):
    help = (
        "Dispatches the events that are due: new ones, ones to be retried, and ones whose process"
        " died. Drains the spool and carries on replays that no process works on. Any number of"
        " these may run side by side."
    )
    # A setting that is wrong elsewhere, as a spool that has vanished, must not stop what is due.
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
            help="how many events are claimed at a time, at most (default: 50)",
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
            default=watching.OVERDUE_SECONDS,
            help="with --check: how many seconds something due may wait"
            f" (default: {watching.OVERDUE_SECONDS:g})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError(f"--batch is {options['batch']}; it must be at least 1.")
        if options["check"]:
            self.check_health(options["max_age"])
        else:
            self.dispatch(options)

    def check_health(self, max_age: float) -> None:
        """Say what is wrong with the dispatching; exit with 1 if anything is."""
        problems = watching.dispatching_problems(max_age)
        if problems:
            raise CommandError("\n".join(problems))
        self.stdout.write("Nothing due has waited too long, and a dispatcher was seen lately.")

    def dispatch(self, options: dict[str, Any]) -> None:
        """Dispatch what is due, once or until told to stop."""
        lanes = Lanes(
            Dispatcher.Kind.COMMAND,
            self.lane_count(options["lanes"]),
            most=options["batch"],
            longest_pause=options["interval"],
            ends_when_idle=not options["watch"],
        )
        lanes.upkeep = upkeep = Upkeep(lanes.gate, lanes.row if options["watch"] else None)
        with _stopped_by_signals(lanes):
            self.watch(lanes) if options["watch"] else self.once(lanes)
        self.stdout.write(_summary(lanes.outcomes, upkeep.replayed))

    def watch(self, lanes: Lanes) -> None:
        """Dispatch until told to stop."""
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

    def lane_count(self, wanted: int | None) -> int:
        """Return how many lanes there are to be: one on SQLite, which has one writer."""
        if calls_in_this_thread() or connections[queue.using()].vendor == "sqlite":
            return 1
        return max(conf.current().LANES if wanted is None else wanted, 1)


@contextmanager
def _stopped_by_signals(lanes: Lanes) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C stop the lanes; signals reach the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *caught: lanes.tell_to_stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _summary(outcomes: Counter[str], replayed: int) -> str:
    if not outcomes:
        said = "No event was due."
    else:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(outcomes.items()))
        total = outcomes.total()
        said = f"{total} event{'s were' if total != 1 else ' was'} dispatched: {counts}."
    if replayed:
        said += f" {replayed} event{'s were' if replayed != 1 else ' was'} replayed."
    return said
