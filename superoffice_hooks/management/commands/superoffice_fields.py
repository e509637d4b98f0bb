"""``manage.py superoffice_fields``: which fields change, how often, and who listens."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from django.core.management import BaseCommand, CommandParser

from ... import dictionary
from ...counting import Counted, FieldCount, count
from ...values import one_line
from ..options import counted, moment_of, number_of, text_of


class Command(BaseCommand):
    help = (
        "Prints how often each field changed, how many events were only noise, which changes no"
        " receiver is told of, and which names in receivers' fields were never seen."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type`: call_command() hands keyword arguments on without it.
        add = parser.add_argument
        add(
            "--since",
            metavar="WHEN",
            help="Events received then or later: 2026-05-19, 2026-05-19T14:30, or 30m, 2h, 3d, 1w"
            " ago. The project's time zone counts, unless there is an offset.",
        )
        add("--until", metavar="WHEN", help="Events received before then.")
        add("--entity", help="The fields of this entity alone: ticket.")
        add("--limit", metavar="NUMBER", help="At most so many fields of each entity; all of them.")

    def handle(self, *_args: Any, **options: Any) -> None:
        limit = number_of(options, "limit")
        found = count(
            moment_of(options, "since"),
            moment_of(options, "until"),
            text_of(options, "entity").lower(),
        )
        self._print_fields(found, limit)
        self._print_unheard(found, limit)
        self._print_unseen(found)

    def _print_fields(self, found: Counted, limit: int | None) -> None:
        """One table for each entity, under a sentence about its events."""
        fields = {
            entity: list(counts)
            for entity, counts in groupby(found.fields(), key=lambda counts: counts.entity)
        }
        for noise in found.noise():
            self.stdout.write(
                f"{one_line(noise.entity) or '(no entity)'}: {counted(noise.events, 'event')},"
                f" {noise.times} of them only noise ({_share(noise.times, noise.events)})."
            )
            self._print_table(
                ("field", "label", "times", "share"),
                map(_row, fields.get(noise.entity, ())[:limit]),
                "No event says which fields changed.",
            )
        if not found.events:
            self.stdout.write("There are no events.")

    def _print_unheard(self, found: Counted, limit: int | None) -> None:
        by_event = groupby(found.unheard(), key=lambda unheard: unheard.event_name)
        rows = [
            (*unheard[:2], str(unheard.times)) for _, of in by_event for unheard in [*of][:limit]
        ]
        self.stdout.write("Changes that no receiver is told of:")
        self._print_table(("event", "field", "times"), rows, "None.")

    def _print_unseen(self, found: Counted) -> None:
        self.stdout.write("Names in receivers' fields that no event has ever had:")
        self._print_table(("receiver", "signal", "name"), found.unseen(), "None.")

    def _print_table(
        self, heads: Sequence[str], rows: Iterable[Sequence[str]], otherwise: str
    ) -> None:
        """Columns as wide as their widest value; a sentence instead of an empty table."""
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
