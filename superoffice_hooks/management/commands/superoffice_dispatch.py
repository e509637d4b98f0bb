"""``manage.py superoffice_dispatch``: the worker, and the recovery for every mode of dispatch."""

import signal
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections

from superoffice_hooks.dispatching import dispatch_due, dispatch_now
from superoffice_hooks.models import Event
from superoffice_hooks.receiving import DATABASE_AWAY, drain
from superoffice_hooks.replaying import carry_on_waiting

from ...logs import get_logger

logger = get_logger(__name__)

REPLAYED = "replayed"
"""Counts the events of replays, among the statuses that due events ended with."""


class Command(BaseCommand):
    help = (
        "Dispatches the events that are due: pending ones, ones to be retried, and ones whose"
        " process died. Drains the spool first, and carries on the replays that nobody is working"
        " on. Any number of these may run side by side."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            action="store_true",
            help="stay, and look again and again, until SIGTERM or Ctrl-C",
        )
        parser.add_argument(
            "--batch", type=int, default=10, help="how many events to claim at a time (default: 10)"
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=1.0,
            help="seconds between two looks when nothing was due (default: 1)",
        )

    def handle(self, *args: Any, watch: bool, batch: int, interval: float, **options: Any) -> None:
        if batch < 1:
            raise CommandError(f"--batch is {batch}; it must be at least 1.")
        self.stopping = threading.Event()
        if watch:
            self.stop_on_signals()
        outcomes = found = self.look(batch)
        while (watch or found[REPLAYED]) and not self.stopping.is_set():
            found = self.look_if_possible(batch) if watch else self.look(batch)
            outcomes += found
            if not found:
                self.stopping.wait(interval)
        self.stdout.write(_summary(outcomes))

    def look(self, batch: int) -> Counter[str]:
        """Dispatch what is due, and a little of each replay; or what is done when told to stop."""
        outcomes: Counter[str] = Counter()
        for event in drain():
            dispatch_now(event)
            outcomes[event.status] += 1
            if self.stopping.is_set():
                return outcomes
        outcomes.update(event.status for event in self.until_told(dispatch_due(batch)))
        if not self.stopping.is_set():
            outcomes.update(REPLAYED for event in self.until_told(carry_on_waiting()))
        return outcomes

    def until_told(self, events: Generator[Event, None, None]) -> Iterator[Event]:
        """The events of a story that gives back what it has not begun when it is closed."""
        for event in events:
            yield event
            if self.stopping.is_set():
                events.close()

    def look_if_possible(self, batch: int) -> Counter[str]:
        """The same, but a watcher outlives a database that is away for a while."""
        close_old_connections()
        try:
            return self.look(batch)
        except DATABASE_AWAY as error:
            logger.warning("The database is away; looking again soon: %s", error)
            return Counter()

    def stop_on_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *caught: self.stopping.set())


def _summary(outcomes: Counter[str]) -> str:
    replayed = outcomes.pop(REPLAYED, 0)
    if not outcomes:
        told = "No event was due."
    else:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(outcomes.items()))
        total = outcomes.total()
        told = f"{total} event{'s were' if total != 1 else ' was'} dispatched: {counts}."
    if replayed:
        told += f" {replayed} event{'s were' if replayed != 1 else ' was'} replayed."
    return told
