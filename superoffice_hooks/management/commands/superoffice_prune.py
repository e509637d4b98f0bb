"""``manage.py superoffice_prune``: what is past retention is deleted."""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils.timezone import is_aware, localtime
from tqdm import tqdm

from ... import conf
from ...pruning import Step, prune, steps
from ..options import counted, number_of, period_of, seconds_of, wrong

_BATCH = 500
_LARGEST_BATCH = 10_000
"""Databases take no more than some ten thousand keys in one statement."""

_EXAMPLES = 10
"""So many of the rows that cannot be pruned are named."""

_DEEDS = {
    "events": ("Deleted", "delete", "succeeded, skipped or handled event", ""),
    "failed": ("Deleted", "delete", "failed event", ""),
    "replays": ("Deleted", "delete", "replay", " of which no receiver run is left"),
    "bodies": ("Emptied", "empty", "event", " of body, headers and tracebacks"),
    "rejections": ("Deleted", "delete", "rejection", ""),
}


class Command(BaseCommand):
    help = (
        "Deletes what is past retention, as RETENTION or the options say: bodies, headers and"
        " tracebacks of events that came out well; such events with their receiver runs and"
        " redeliveries; failed events; rejections. What neither names is kept for ever."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type`: call_command() hands keyword arguments on without it.
        add = parser.add_argument
        kept = "30m, 2h, 90d or 52w; instead of what RETENTION says."
        add("--bodies", metavar="PERIOD", help=f"How long bodies and tracebacks are kept: {kept}")
        add("--events", metavar="PERIOD", help=f"How long events that came out well are: {kept}")
        add("--failed", metavar="PERIOD", help=f"How long failed events are: {kept}")
        add("--rejections", metavar="PERIOD", help=f"How long rejections are: {kept}")
        add("--batch", metavar="NUMBER", help=f"Rows per transaction (default: {_BATCH}).")
        add(
            "--pause",
            metavar="SECONDS",
            help="How long to leave the database to others after each batch (default: twice as"
            " long as the batch took).",
        )
        add("--dry-run", action="store_true", help="Say what would be done and change nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        periods = _periods(options)
        batch, pause = _batch(options), seconds_of(options, "pause")
        if not periods:
            self.stdout.write(
                "Nothing was pruned: neither RETENTION nor an option says how long to keep what."
            )
        elif options["dry_run"]:
            planned = steps(periods)
            self._tell(planned, _counts(planned), dry=True)
            self.stdout.write("Nothing was changed.")
        else:
            self._prune(steps(periods), batch, pause)

    def _prune(self, planned: list[Step], batch: int, pause: float | None) -> None:
        """Prune until it is done or somebody says stop; with a progress bar, if one is seen."""
        watched = self.stderr.isatty()
        total = sum(_counts(planned).values()) if watched else None
        pruned: Counter[str] = Counter()
        kept, examples = 0, list[str]()
        with (
            _stop_on_signals() as stopping,
            tqdm(total=total, unit="row", file=sys.stderr, disable=not watched) as bar,
        ):
            began = time.monotonic()
            for what, rows, reasons in prune(planned, batch):
                pruned[what] += rows
                kept += len(reasons)
                examples += reasons[: _EXAMPLES - len(examples)]
                bar.update(rows)
                took = time.monotonic() - began
                if stopping.wait(2 * took if pause is None else pause):
                    break
                began = time.monotonic()
        self._tell(planned, pruned, dry=False)
        if stopping.is_set():
            self.stdout.write("Stopped; the next run goes on from here.")
        if kept:
            listed = "".join(f"\n  {reason}" for reason in examples)
            more = f"\n  and {kept - len(examples)} more" if kept > len(examples) else ""
            raise CommandError(f"{counted(kept, 'row')} could not be pruned:{listed}{more}")

    def _tell(self, planned: list[Step], numbers: Counter[str], *, dry: bool) -> None:
        """One sentence for each kind of rows."""
        for what, until in {step.what: step.until for step in planned}.items():
            done, to_do, noun, of_what = _DEEDS[what]
            verb = f"Would {to_do}" if dry else done
            moment = localtime(until) if is_aware(until) else until
            self.stdout.write(
                f"{verb} {counted(numbers[what], noun)} from before {moment:%Y-%m-%d %H:%M}"
                f"{of_what}."
            )


def _periods(options: Mapping[str, Any]) -> dict[str, timedelta]:
    """How long everything is kept that is not kept for ever; options count more than RETENTION.

    Raises:
        CommandError: one of the two makes no sense.
    """
    asked = {what: period_of(options, what) for what in conf.RETAINED}
    try:
        periods = conf.current().periods()
    except ValueError as error:
        raise CommandError(f"{conf.SETTING}: {error} `manage.py check` says more.") from None
    return periods | {what: period for what, period in asked.items() if period}


def _batch(options: Mapping[str, Any]) -> int:
    batch = number_of(options, "batch") or _BATCH
    if batch > _LARGEST_BATCH:
        raise wrong("batch", str(batch), f"no more than {_LARGEST_BATCH}")
    return batch


def _counts(planned: list[Step]) -> Counter[str]:
    """How many rows there are for each kind."""
    counts: Counter[str] = Counter()
    for step in planned:
        counts[step.what] += step.past_retention().count()
    return counts


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Set by SIGTERM and Ctrl-C, so that the batch in hand is finished; in the main thread only."""
    stopping = threading.Event()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {n: signal.signal(n, lambda *caught: stopping.set()) for n in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
