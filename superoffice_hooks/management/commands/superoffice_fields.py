"""``manage.py superoffice_fields``: which fields change, how often, and for which receivers."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from django.core.management import BaseCommand, CommandParser

from ...reports.field_statistics import Counted, FieldCount, count
from ...wire import dictionary
from ...wire.values import one_line
from ..options import counted, number_of, text_of, time_of


class Command(BaseCommand):
    help = (
        "Prints how often each field changed, how many events were only noise, for which"
        " changes no receiver is called, and which names in receivers' fields were never seen."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type`: call_command() does not apply it to keyword arguments.
        add = parser.add_argument
        add(
            "--since",
            metavar="WHEN",
            help="Events received then or later: 2026-05-19, 2026-05-19T14:30, or 30m, 2h, 3d, 1w"
            " ago. The project's time zone counts, unless there is an offset.",
        )
        add("--until", metavar="WHEN", help="Events received before then.")
        add("--entity", help="The fields of this entity alone: ticket.")
        add("--limit", metavar="NUMBER", help="The maximum number of fields of each entity.")

    def handle(self, *_args: Any, **options: Any) -> None:
        limit = number_of(options, "limit")
        statistics = count(
            time_of(options, "since"),
            time_of(options, "until"),
            text_of(options, "entity").lower(),
        )
        self._print_fields(statistics, limit)
        self._print_unheard(statistics, limit)
        self._print_unseen(statistics)

    def _print_fields(self, statistics: Counted, limit: int | None) -> None:
        """Print a table for each entity, under a sentence about its events."""
        fields = {
            entity: list(counts)
            for entity, counts in groupby(statistics.fields(), key=lambda counts: counts.entity)
        }
        for noise in statistics.noise():
            self.stdout.write(
                f"{one_line(noise.entity) or '(no entity)'}: {counted(noise.events, 'event')},"
                f" {noise.times} of them only noise ({_share(noise.times, noise.events)})."
            )
            self._print_table(
                ("field", "label", "times", "share"),
                map(_row, fields.get(noise.entity, ())[:limit]),
                "No event says which fields changed.",
            )
        if not statistics.events:
            self.stdout.write("There are no events.")

    def _print_unheard(self, statistics: Counted, limit: int | None) -> None:
        by_event = groupby(statistics.unheard(), key=lambda unheard: unheard.event_name)
        rows = [
            (*unheard[:2], str(unheard.times)) for _, of in by_event for unheard in [*of][:limit]
        ]
        self.stdout.write("Changes for which no receiver is called:")
        self._print_table(("event", "field", "times"), rows, "None.")

    def _print_unseen(self, statistics: Counted) -> None:
        self.stdout.write("Names in receivers' fields that no event has ever had:")
        self._print_table(("receiver", "signal", "name"), statistics.unseen(), "None.")

    def _print_table(
        self, heads: Sequence[str], rows: Iterable[Sequence[str]], otherwise: str
    ) -> None:
        """Print a table, its columns as wide as their values; a sentence if it is empty."""
        table = [heads, *([one_line(cell) for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table if len(table) > 1 else ():
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(f"  {line}".rstrip())
        if len(table) == 1:
            self.stdout.write(f"  {otherwise}")
        self.stdout.write("")


def _row(counts: FieldCount) -> tuple[str, ...]:
    label = dictionary.describe(counts.entity, counts.name).label
    return counts.name, label, str(counts.times), _share(counts.times, counts.events)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"
