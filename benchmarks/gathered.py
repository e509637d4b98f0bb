"""A burst of a bulk update: many events of fewer records, for a receiver of each kind."""

from contextlib import ExitStack

from .figures import Bar, Rounds, alternating, milliseconds, spaced, table
from .places import Place
from .queues import OURS, Contender, filled

EVENTS, RECORDS, BATCH = 1000, 200, 100
IN_BATCHES = 5000
"""So many events go in batches: a lane may have let some hundreds join before the first call."""
SETTLE = 3
BATCH_TIMES = 8.0

EACH, EACH_ONE_LANE, SETTLED, BATCHED = "one by one", "one by one, one lane", "settle", "batch"
_BURST = {"records": RECORDS}
CONTENDERS = {
    EACH: Contender("due", OURS, filling=_BURST),
    EACH_ONE_LANE: Contender("due", OURS, hooks={"LANES": 1}, filling=_BURST),
    SETTLED: Contender("due", OURS, receiver="write settled", filling=_BURST),
    BATCHED: Contender("due", OURS, receiver="write batch", filling=_BURST),
}

WHAT = (
    f"{EVENTS} events of {RECORDS} records are due; one process works them off with a receiver that"
    " inserts one row for each event: called for each event, once per record with"
    f" `settle={SETTLE:g}`, and with `batch={BATCH}` ({spaced(IN_BATCHES)} events); the last two"
    " with one `bulk_create` a call."
    " Timed from the first call to the last; with `settle`, the wait for quiet is before the first."
)


def gathered(place: Place, rounds: int) -> tuple[str, list[Bar]]:
    """The rates of each kind of receiver, and how many calls each takes."""
    found = Rounds()
    with ExitStack() as stack:
        ready = {
            name: stack.enter_context(filled(contender, place.url))
            for name, contender in CONTENDERS.items()
        }
        for name in alternating(rounds, list(CONTENDERS)):
            events = IN_BATCHES if name == BATCHED else EVENTS
            ready[name].fill(events)
            found.add(name, ready[name].work(events))
    calls = {name: [int(r["calls"]) for r in found.by_contender[name]] for name in CONTENDERS}
    rows = [
        [
            name,
            str(max(calls[name])),
            spaced(found.throughput(name)),
            f"{found.ratio(name, EACH):.1f}",
            milliseconds(found.cpu(name)),
        ]
        for name in CONTENDERS
    ]
    head = ["", "calls", "events per second", f"times {EACH}", "CPU ms per event"]
    text = f"### {place.name}, a bulk update\n\n{WHAT}\n\n{table(head, rows)}"
    times, of_cpu = found.ratio(BATCHED, EACH), found.cheaper(BATCHED, EACH)
    handed = {r["handed_over"] for r in found.by_contender[SETTLED]}
    return text, [
        Bar(
            f"events per second of a process, batch={BATCH} vs one by one, {place.name}",
            f">= {BATCH_TIMES:g}",
            f"{times:.1f}",
            times >= BATCH_TIMES,
            f"The processor time of the process is {of_cpu:.1f} times less. The database updates"
            " each event twice, in all its indexes, and writes its run twice: as it joins, and"
            " as it is called.",
        ),
        Bar(
            f"calls with settle for {EVENTS} events of {RECORDS} records, {place.name}",
            str(RECORDS),
            f"{max(calls[SETTLED])} (for {min(handed)} events)",
            set(calls[SETTLED]) == {RECORDS} and handed == {EVENTS},
        ),
    ]
