"""Rounds made into rows of tables, and figures held against the bars."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from math import ceil
from statistics import median
from typing import Any, NamedTuple, NotRequired, TypedDict


class Round(TypedDict):
    """What came of some deliveries, or of some events that were dispatched."""

    count: int
    seconds: float
    cpu: float
    answers: list[float]
    calls: NotRequired[int]
    """How often the receiver was called."""
    handed_over: NotRequired[int]
    """How many events these calls were for."""


class Bar(NamedTuple):
    """What is to be reached; ``reached`` is None where it could not be measured."""

    what: str
    bar: str
    measured: str
    reached: bool | None
    reason: str = ""


@dataclass
class Rounds:
    """The rounds of some contenders on one database, each against the floor of its own round."""

    by_contender: dict[str, list[Round]] = field(default_factory=dict)

    def add(self, contender: str, result: Round) -> None:
        self.by_contender.setdefault(contender, []).append(result)

    def throughput(self, contender: str) -> float:
        """Deliveries per second."""
        return median(r["count"] / r["seconds"] for r in self.by_contender[contender])

    def ratio(self, contender: str, to: str) -> float:
        """How many deliveries a contender takes in while another takes one, by rounds."""
        pairs = zip(self.by_contender[contender], self.by_contender[to], strict=True)
        return median(
            mine["count"] / mine["seconds"] * other["seconds"] / other["count"]
            for mine, other in pairs
        )

    def cpu(self, contender: str) -> float:
        """Seconds of processor time per delivery."""
        return median(r["cpu"] / r["count"] for r in self.by_contender[contender])

    def cheaper(self, contender: str, than: str) -> float:
        """How many deliveries a contender takes in with another's time for one, by rounds."""
        pairs = zip(self.by_contender[contender], self.by_contender[than], strict=True)
        return median(
            other["cpu"] / other["count"] * mine["count"] / mine["cpu"] for mine, other in pairs
        )

    def answer(self, contender: str, part: float) -> float:
        """The seconds in which so great a part of the answers was there."""
        return percentile([a for r in self.by_contender[contender] for a in r["answers"]], part)

    def table(self, trips: dict[str, dict[str, Any]] | None = None) -> str:
        """A row per contender."""
        rows = [
            [
                contender,
                spaced(self.throughput(contender)),
                f"{self.ratio(contender, 'floor'):.2f}",
                f"{self.ratio(contender, 'by hand'):.1f}",
                milliseconds(self.answer(contender, 0.5)),
                milliseconds(self.answer(contender, 0.99)),
                milliseconds(self.cpu(contender)),
                *(
                    (str(len(trips[contender]["statements"])), str(trips[contender]["round_trips"]))
                    if trips
                    else ()
                ),
            ]
            for contender in self.by_contender
        ]
        head = ["", "per second", "of the floor", "times by hand", "p50 ms", "p99 ms", "CPU ms"]
        return table([*head, *(("statements", "round trips") if trips else ())], rows)


def alternating(rounds: int, names: list[str]) -> Iterator[str]:
    """Each name once a round, beginning with the next one each time."""
    order = cycle(names)
    for _ in range(rounds):
        for _ in names:
            yield next(order)
        next(order)


def percentile(values: list[float], part: float) -> float:
    """The smallest value that so great a part of the values does not exceed."""
    return sorted(values)[max(ceil(len(values) * part) - 1, 0)]


def spaced(number: float) -> str:
    """A number with its thousands apart."""
    return f"{number:,.0f}".replace(",", " ")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
