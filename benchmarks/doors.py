"""The door: deliveries over HTTP with and without it, by the processor time that each takes."""

from contextlib import ExitStack

from .contest import CONTENDERS, OVER_HTTP, PATHS, STORE_ONLY
from .figures import Bar, Rounds, alternating, milliseconds, spaced, table
from .over_http import flood, serve
from .places import Place, bench_database

KINDS = ("gunicorn", "uvicorn")
VIEW, DOOR = "the view", "through the door"
TIMES = 2.0
PATH = PATHS[CONTENDERS[2]]


def doors(place: Place, rounds: int) -> tuple[str, list[Bar]]:
    """Store only, on each server, with the door and without."""
    rows: list[list[str]] = []
    bars: list[Bar] = []
    for kind in KINDS:
        found = _measured(place, kind, rounds)
        rows += [
            [
                kind,
                who,
                spaced(found.throughput(who)),
                spaced(1 / found.cpu(who)),
                milliseconds(found.cpu(who)),
                milliseconds(found.answer(who, 0.5)),
                milliseconds(found.answer(who, 0.99)),
            ]
            for who in (VIEW, DOOR)
        ]
        times = found.cheaper(DOOR, VIEW)
        bars.append(
            Bar(
                f"acknowledgements per core over HTTP, door vs view, {kind}, {place.name}",
                f">= {TIMES:g}",
                f"{times:.2f}",
                times >= TIMES,
                "The server's own work for a request, the INSERT and the view itself are the same"
                " with the door and without.",
            )
        )
    head = ["", "", "per second", "per core", "CPU ms", "p50 ms", "p99 ms"]
    text = f"### {place.name}, store only, with the door and without\n\n{table(head, rows)}"
    return text, bars


def _measured(place: Place, kind: str, rounds: int) -> Rounds:
    found = Rounds()
    with ExitStack() as stack:
        servers = {}
        for who in (VIEW, DOOR):
            url = stack.enter_context(bench_database(place.url))
            is_open = "door" if who == DOOR else ""
            servers[who] = stack.enter_context(serve(url, kind, STORE_ONLY, door=is_open))
            flood(servers[who], PATH, 100)
        for who in alternating(rounds, [VIEW, DOOR]):
            found.add(who, flood(servers[who], PATH, OVER_HTTP))
    return found
