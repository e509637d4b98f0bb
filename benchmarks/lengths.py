"""What an event costs at any length of the backlog, and when all of it is of one record."""

from contextlib import ExitStack
from dataclasses import replace

from .figures import Bar, Rounds, alternating, milliseconds, spaced, table
from .places import Place
from .queues import DEFAULT, OURS, Contender, filled

FEW, SOME, MANY = 1_000, 20_000, 200_000
CALLS = 500
WHAT = (
    f"What each of {CALLS} events costs that a worker with default lanes claims and dispatches to a"
    f" receiver that inserts one row. {spaced(MANY)} events are stored, so many of them due."
)

HOT, HOT_CALLS = 5000, 1000
UNORDERED = Contender("due", OURS, filling={"hot": True})
ORDERED = replace(UNORDERED, hooks={"ORDERED": True})


def by_length(place: Place, rounds: int) -> tuple[str, list[Bar]]:
    """Claim and dispatch at several lengths of the backlog."""
    found = Rounds()
    # As many events are stored at any length, so that it is the backlog that makes a difference.
    shorter = Contender("due", OURS, filling={"finished": MANY - FEW})
    with ExitStack() as stack:
        short = stack.enter_context(filled(shorter, place.url))
        backlogs = {FEW: short, MANY: stack.enter_context(filled(DEFAULT, place.url))}
        for name in alternating(rounds, [spaced(due) for due in backlogs]):
            due = int(name.replace(" ", ""))
            backlogs[due].fill(due)
            found.add(name, backlogs[due].work(CALLS))
        for _ in range(rounds):
            short.fill(SOME)
            found.add(spaced(SOME), short.work(CALLS))
    few, most = spaced(FEW), spaced(MANY)
    costs = 1 / found.ratio(most, few)
    rows = [
        [name, milliseconds(1 / found.throughput(name)), milliseconds(found.cpu(name))]
        for name in map(spaced, (FEW, SOME, MANY))
    ]
    text = f"### {place.name}, by the length of the backlog\n\n{WHAT}\n\n" + table(
        ["due events", "ms per event", "CPU ms per event"], rows
    )
    bar = Bar(
        f"cost of claim and dispatch, {most} due vs {few}, {place.name}",
        "<= 1.2",
        f"{costs:.2f}",
        costs <= 1.2,
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
