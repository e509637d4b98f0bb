"""``manage.py superoffice_prune``: delete what is past retention."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils.timezone import is_aware, localtime

from ... import conf
from ...retention.pruning import Step, prune, steps
from ..options import counted, number_of, period_of, seconds_of, wrong
from ..progress_bar import progress
from ..stop_signals import stopped_by_signals

_BATCH = 500
_LARGEST_BATCH = 10_000
"""Some databases take no more than ten thousand keys in one statement."""

_EXAMPLES = 10
"""The number of rows that cannot be pruned and are listed."""

_DEEDS = {
    "events": ("Deleted", "delete", "succeeded, skipped or handled event", ""),
    "failed": ("Deleted", "delete", "failed event", ""),
    "replays": ("Deleted", "delete", "replay", " of which no receiver run is left"),
    "groups": ("Deleted", "delete", "failure group", " of which no receiver run is left"),
    "bodies": ("Emptied", "empty", "event", " of body, headers and tracebacks"),
    "rejections": ("Deleted", "delete", "rejection", ""),
}


class Command(BaseCommand):
    help = (
        "Deletes what is past retention, as RETENTION or the options say: bodies, headers and"
        " tracebacks of events that are done; such events with their receiver runs and"
        " redeliveries; failed events; rejections. What neither names is kept for ever."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type`: call_command() does not apply it to keyword arguments.
        add = parser.add_argument
        kept = "30m, 2h, 90d or 52w; instead of what RETENTION says."
        add("--bodies", metavar="PERIOD", help=f"How long bodies and tracebacks are kept: {kept}")
        add("--events", metavar="PERIOD", help=f"How long events that are done are kept: {kept}")
        add("--failed", metavar="PERIOD", help=f"How long failed events are kept: {kept}")
        add("--rejections", metavar="PERIOD", help=f"How long rejections are kept: {kept}")
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
            self.stdout.write("Nothing was pruned: neither RETENTION nor any option has a period.")
        elif options["dry_run"]:
            planned = steps(periods)
            self._report(planned, _counts(planned), dry=True)
            self.stdout.write("Nothing was changed.")
        else:
            self._prune(steps(periods), batch, pause)

    def _prune(self, planned: list[Step], batch: int, pause: float | None) -> None:
        """Prune until it is done or stopped by a signal; with a progress bar on a terminal."""
        watched = self.stderr.isatty()
        total = sum(_counts(planned).values()) if watched else None
        pruned: Counter[str] = Counter()
        kept, examples = 0, list[str]()
        stopping = threading.Event()
        with (
            stopped_by_signals(stopping.set),
            progress(total, "row", is_shown=watched) as advance,
        ):
            began = time.monotonic()
            for what, rows, reasons in prune(planned, batch):
                pruned[what] += rows
                kept += len(reasons)
                examples += reasons[: _EXAMPLES - len(examples)]
                advance(rows)
                took = time.monotonic() - began
                if stopping.wait(2 * took if pause is None else pause):
                    break
                began = time.monotonic()
        self._report(planned, pruned, dry=False)
        if stopping.is_set():
            self.stdout.write("Stopped; the next run goes on from here.")
        if kept:
            listed = "".join(f"\n  {reason}" for reason in examples)
            more = f"\n  and {kept - len(examples)} more" if kept > len(examples) else ""
            raise CommandError(f"{counted(kept, 'row')} could not be pruned:{listed}{more}")

    def _report(self, planned: list[Step], numbers: Counter[str], *, dry: bool) -> None:
        """Print one sentence for each kind of rows."""
        for what, until in {step.what: step.until for step in planned}.items():
            done, to_do, noun, of_what = _DEEDS[what]
            verb = f"Would {to_do}" if dry else done
            time = localtime(until) if is_aware(until) else until
            self.stdout.write(
                f"{verb} {counted(numbers[what], noun)} from before {time:%Y-%m-%d %H:%M}{of_what}."
            )


def _periods(options: Mapping[str, Any]) -> dict[str, timedelta]:
    """Return how long things are kept; options override RETENTION. Things without a period stay.

    Raises:
        CommandError: an option or RETENTION is invalid.
    """
    chosen = {what: period_of(options, what) for what in conf.RETAINED}
    try:
        periods = conf.current().periods()
    except ValueError as error:
        raise CommandError(f"{conf.SETTING}: {error} `manage.py check` says more.") from None
    return periods | {what: period for what, period in chosen.items() if period}


def _batch(options: Mapping[str, Any]) -> int:
    batch = number_of(options, "batch") or _BATCH
    if batch > _LARGEST_BATCH:
        raise wrong("batch", str(batch), f"no more than {_LARGEST_BATCH}")
    return batch


def _counts(planned: list[Step]) -> Counter[str]:
    """Return the number of rows of each kind."""
    counts: Counter[str] = Counter()
    for step in planned:
        counts[step.what] += step.past_retention().count()
    return counts
