"""``make bench-scale``: what it costs to have stored millions. PostgreSQL alone."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from tests.databases import connected

from .figures import Bar
from .places import Place, bench_database
from .processes import Worker, started, worker

FEW = 20_000
DAYS = 200
MAX_SECONDS = 600
"""For the replay; where it is slower, fewer events are replayed, and the row says how many."""
INGESTED = 500
QUESTIONS = {
    "admin_list": "admin list, first page",
    "changed": '`changed("priority")[:50]`',
    "timeline": "timeline of a record",
}


def at_scale(place: Place, rounds: int, many: int) -> tuple[str, list[Bar]]:
    """Everything measured with many events: the text, and the bars."""
    with ExitStack() as stack:
        empty, few, full = (
            stack.enter_context(bench_database(place.url)) for _ in ("empty", "few", "full")
        )
        with worker(empty) as at_0, worker(few) as at_few, worker(full) as at_many:
            at_few("fill", count=FEW, days=DAYS)
            begun = time.monotonic()
            at_many("fill", count=many, days=DAYS)
            filled = time.monotonic() - begun
            disk = at_many("disk")
            for each in (at_0, at_few, at_many):
                each("prepare")
            bars = [ingest(at_0, at_many, rounds, many)]
            bars += [scrape(at_many, rounds, many)]
            bars += [
                question(name, what, at_few, at_many, rounds, many)
                for name, what in QUESTIONS.items()
            ]
        bars += replays(full, min(100_000, many // 2))
        bars += prune(full, rounds)
    text = (
        f"{many} events were stored in {filled:.0f} s; each takes {disk['rows']:.0f} bytes and its"
        f" indexes {disk['indexes']:.0f}, of a body of {disk['body']:.0f}."
    )
    return text, bars


def ingest(at_0: Worker, at_many: Worker, rounds: int, many: int) -> Bar:
    rates: dict[Worker, list[float]] = {at_0: [], at_many: []}
    for tell in rates:
        tell("ingest", contender="store only", count=INGESTED)
    for _ in range(rounds):
        for tell, found in rates.items():
            found.append(rate(tell))
    kept = median(b / a for a, b in zip(*rates.values(), strict=True))
    return Bar(
        f"ingest at {many} stored events vs at 0",
        ">= 0.9",
        f"{kept:.2f} ({median(rates[at_many]):.0f} per second)",
        kept >= 0.9,
    )


def rate(tell: Worker) -> float:
    """Deliveries stored per second."""
    result = tell("ingest", contender="store only", count=INGESTED)
    return float(result["count"] / result["seconds"])


def question(name: str, what: str, at_few: Worker, at_many: Worker, rounds: int, many: int) -> Bar:
    times: dict[Worker, list[float]] = {at_few: [], at_many: []}
    for _ in range(rounds):
        for tell, found in times.items():
            found.append(tell(name))
    few, full = (median(found) for found in times.values())
    return Bar(
        f"{what}, at {many} vs at {FEW} events",
        "<= 1.5",
        f"{full / few:.2f} ({few * 1000:.1f} ms, {full * 1000:.1f} ms)",
        full <= 1.5 * few,
    )


def scrape(at_many: Worker, rounds: int, many: int) -> Bar:
    """What Prometheus makes a database do again and again."""
    milliseconds = median(at_many("scrape") for _ in range(rounds)) * 1000
    return Bar(
        f"scrape by Prometheus, at {many} events",
        "<= 20 ms",
        f"{milliseconds:.1f} ms",
        milliseconds <= 20,
    )


def replays(url: str, many: int) -> list[Bar]:
    """Replays in processes of their own, since a process's peak of memory never falls."""
    few = many // 10
    found = {("replay_again", few): alone(url, "replay_again", few)}
    affordable = int(few * MAX_SECONDS / found["replay_again", few]["seconds"])
    many = max(few, min(many, affordable))
    for function in ("loop", "replay_again"):
        found[function, many] = alone(url, function, many)
    slower = found["replay_again", many]["seconds"] / found["loop", many]["seconds"]
    grown = found["replay_again", many]["peak"] - found["replay_again", few]["peak"]
    return [
        Bar(
            f"replay of {many} events vs a plain loop",
            "<= 3",
            f"{slower:.1f} ({found['replay_again', many]['seconds']:.0f} s,"
            f" {found['loop', many]['seconds']:.0f} s)",
            slower <= 3,
            "A claim, a run's row, an outcome and a count are committed for each event, so that a"
            " replay that is cut short knows where it was; the loop only reads.",
        ),
        Bar(
            f"memory of a replay of {many} events, more than of {few}",
            "< 20 MB",
            f"{grown:.1f} MB" if many > few else "no time for more",
            grown < 20 if many > few else None,
        ),
    ]


def alone(url: str, function: str, count: int) -> dict[str, float]:
    """What a process measures that does nothing else."""
    with worker(url, BENCH_RECEIVER="nothing") as tell:
        result: dict[str, float] = tell(function, count=count)
    return result


def prune(url: str, rounds: int) -> list[Bar]:
    """Half of all events are pruned while others come in."""
    what = "ingest while half of the events are pruned, vs before"
    command = [sys.executable, "-m", "django", "superoffice_prune", f"--events={DAYS // 2}d"]
    with worker(url) as tell:
        before = median(rate(tell) for _ in range(rounds))
        held = Longest()
        during: list[float] = []
        begun = time.monotonic()
        with started(command, url, {}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
            with watching(url, held):
                while it.poll() is None and time.monotonic() - begun < 900:
                    during.append(rate(tell))
            status = it.poll()
    if status != 0:
        return [Bar(what, ">= 0.7", "superoffice_prune did not end well", reached=None)]
    seconds = time.monotonic() - begun
    kept = median(during) / before
    return [
        Bar(what, ">= 0.7", f"{kept:.2f} (in {seconds:.0f} s)", kept >= 0.7),
        Bar(
            "longest transaction of superoffice_prune",
            "a batch",
            f"{held.seconds * 1000:.0f} ms",
            held.seconds < 5,
        ),
    ]


class Longest:
    seconds = 0.0


@contextmanager
def watching(url: str, held: Longest) -> Iterator[None]:
    """Notes the age of the oldest transaction that has written something."""
    ended = threading.Event()

    def watch() -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            while not ended.wait(0.02):
                cursor.execute(
                    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)"
                    " FROM pg_stat_activity"
                    " WHERE datname = current_database() AND backend_xid IS NOT NULL"
                )
                held.seconds = max(held.seconds, float(cursor.fetchone()[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
