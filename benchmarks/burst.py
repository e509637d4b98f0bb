"""A burst of deliveries while every receiver sleeps: how long SuperOffice waits for its answers."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import inf

from tests.databases import connected

from .figures import Bar, milliseconds, percentile, table
from .over_http import Server, pace, serve
from .places import Place, bench_database

COUNT, PER_SECOND = 500, 50
LANES = 2
THREADS = {"gunicorn sync": 1, "gunicorn gthread": 4, "uvicorn": None}
"""Request threads of a process: None for as many as there are requests."""
MODES = {"store only": "worker", "in process": "in_process"}
PATH = "/superoffice/webhook/"


def burst(place: Place) -> tuple[str, list[Bar]]:
    """The answers of each server, next to those of the same server that only stores."""
    rows: list[list[str]] = []
    bars: list[Bar] = []
    for kind, threads in THREADS.items():
        answered: dict[str, list[float]] = {mode: [] for mode in MODES}
        held, busiest = 0, 0
        with ExitStack() as stack:
            servers = [(mode, stack.enter_context(standing(place, kind, mode))) for mode in MODES]
            for mode, (server, url) in servers:
                with watching(url) as most:
                    paced = pace(server, PATH, COUNT, PER_SECOND)
                answered[mode] = paced.answers
                held, busiest = most(), paced.at_once
                forget(url)
        rows += [_row(kind, mode, answers) for mode, answers in answered.items()]
        bars += _bars(kind, answered, held, threads or busiest)
    seconds = COUNT // PER_SECOND
    text = (
        f"### {place.name}, a burst\n\n{PER_SECOND} deliveries a second for {seconds} s, a receiver"
        f" that sleeps 0.5 s:\n\n"
        + table(["", "", "p50 ms", "p99 ms", "answers", "without a 200"], rows)
    )
    return text, bars


def _row(kind: str, mode: str, answers: list[float]) -> list[str]:
    parts = [milliseconds(percentile(answers, part)) for part in (0.5, 0.99)]
    return [kind, mode, *parts, str(len(answers)), str(answers.count(inf))]


def _bars(kind: str, answered: dict[str, list[float]], held: int, threads: int) -> list[Bar]:
    calm, mine = answered.values()
    slower = percentile(mine, 0.99) / percentile(calm, 0.99)
    missed = mine.count(inf)
    return [
        Bar(
            f"p99 of the answer in a burst, vs store only, {kind}",
            "<= 2",
            f"{slower:.2f}",
            slower <= 2,
        ),
        Bar(f"answers other than 200 in a burst, {kind}", "0", str(missed), missed == 0),
        Bar(
            f"database connections of a web process in a burst, {kind}",
            f"<= {threads} + {LANES}",
            str(held),
            held <= threads + LANES,
        ),
    ]


@contextmanager
def standing(place: Place, kind: str, mode: str) -> Iterator[tuple[Server, str]]:
    """A server with a database of its own, after some deliveries that do not count."""
    with (
        bench_database(place.url) as url,
        serve(url, kind, {"DISPATCH": MODES[mode]}, "sleep long") as server,
    ):
        pace(server, PATH, 20, PER_SECOND)
        forget(url)
        yield server, url


def forget(url: str) -> None:
    """Take all events out of the queue, so that nothing of this burst meets the next."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE superoffice_hooks_event SET status = 'succeeded', next_attempt_at = NULL,"
            " claim = NULL WHERE next_attempt_at IS NOT NULL"
        )
    time.sleep(1)


class Highest:
    """The highest number of connections that one process has had."""

    def __init__(self) -> None:
        self._by_process = Counter[str]()

    def __call__(self) -> int:
        return max(self._by_process.values(), default=0)

    def note(self, process: str, connections: int) -> None:
        self._by_process[process] = max(self._by_process[process], connections)


@contextmanager
def watching(url: str) -> Iterator[Highest]:
    """Notes how many connections each process of the benchmarks' project has."""
    ended, most = threading.Event(), Highest()

    def watch() -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            while not ended.wait(0.05):
                cursor.execute(
                    "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname ="
                    " current_database() AND application_name LIKE 'bench %' GROUP BY 1"
                )
                for process, connections in cursor.fetchall():
                    most.note(process, connections)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
