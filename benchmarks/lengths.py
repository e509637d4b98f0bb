"""What an event costs at any length of the backlog, and when all of it is of one record."""

from contextlib import ExitStack
from dataclasses import replace

from .figures import Bar, Rounds, alternating, milliseconds, spaced, table
from .places import Place
from .queues import OURS, Contender, filled

DUE = (1_000, 20_000, 200_000)
CALLS = 500

HOT, HOT_CALLS = 5000, 1000
UNORDERED = Contender("due", OURS, hot=True)
ORDERED = replace(UNORDERED, hooks={"ORDERED": True})


def by_length(place: Place, rounds: int) -> tuple[str, list[Bar]]:
    """Claim and dispatch at several lengths of the backlog."""
    found = Rounds()
    with ExitStack() as stack:
        ready = {
            spaced(due): (due, stack.enter_context(filled(Contender("due", OURS), place.url)))
            for due in DUE
        }
        for name in alternating(rounds, list(ready)):
            due, backlog = ready[name]
            backlog.fill(due)
            found.add(name, backlog.work(CALLS))
    few, most = spaced(DUE[0]), spaced(DUE[-1])
    costs = 1 / found.ratio(most, few)
    rows = [
        [name, milliseconds(1 / found.throughput(name)), milliseconds(found.cpu(name))]
        for name in ready
    ]
    text = f"### {place.name}, an event's cost by the length of the backlog\n\n" + table(
        ["due events", "ms per event", "CPU ms per event"], rows
    )
    bar = Bar(
        f"cost of claim and dispatch, {most} due vs {few}, {place.name}",
        "<= 1.2",
        f"{costs:.2f}",
        costs <= 1.2,
        "Medians of what rounds cost, each next to the round of the shorter backlog beside it.",
    )
    return text, [bar]


def hot_record(place: Place, rounds: int) -> list[Bar]:
    """ORDERED with all due events of one record, next to the same without."""
    found = Rounds()
    with ExitStack() as stack:
        ready = {
            name: stack.enter_context(filled(contender, place.url))
            for name, contender in (("ordered", ORDERED), ("unordered", UNORDERED))
        }
        for name in alternating(rounds, list(ready)):
            ready[name].fill(HOT)
            found.add(name, ready[name].work(HOT_CALLS))
    costs = found.ratio("unordered", "ordered")
    rates = [spaced(found.throughput(name)) for name in ("ordered", "unordered")]
    return [
        Bar(
            f"ORDERED, {HOT} due events of one record, vs unordered, {place.name}",
            "<= 2",
            f"{costs:.2f} ({' and '.join(rates)} per second)",
            costs <= 2,
            "The events of one record are dispatched one at a time, so by one lane.",
        )
    ]
