"""``make bench``: the contenders in process and over HTTP, on one database after the other."""

import time
from contextlib import ExitStack
from functools import partial
from math import inf
from typing import Any

from tests.databases import connected

from .figures import Bar, Rounds, alternating, milliseconds, percentile, table
from .footprint import footprint
from .over_http import Server, flood, pace, serve
from .places import Place, bench_database
from .processes import worker
from .striped import NAME as STRIPES
from .striped import dj_stripe

DELIVERIES, OVER_HTTP = 400, 400
PACED, PER_SECOND = 60, 15

PATHS = {
    "floor": "/floor/",
    "by hand": "/by-hand/",
    "store only": "/superoffice/webhook/",
    "store and dispatch": "/superoffice/webhook/",
}
CONTENDERS = list(PATHS)

STORE_ONLY, IN_PROCESS = {"DISPATCH": "worker"}, {"DISPATCH": "in_process"}

SLEEPING = {"sleep": "in its transaction", "sleep outside": "with atomic=False"}

OF_THE_FLOOR = {True: 0.75, False: 0.70}
"""By whether it is a server: how near store only is to come to the floor."""

WHY_NOT_THE_FLOOR = {
    True: "In a trial PostgreSQL took 240 us for our INSERT of 26 columns and 100 us for the"
    " floor's of one, whatever the number of indexes (4 us each). The rest is Python: the"
    " notification read and checked, an Event, 26 values put into the statement as text; bound on"
    " the server and prepared, they take 90 us less, but the time limit of the lock travels in the"
    " same text. Without a payload column (read from the body instead), two fifths of what we add"
    " to the floor were gone; but no query could look into payloads any more.",
    False: "In a trial SQLite took 290 us for our INSERT and 70 us for the floor's: each of our ten"
    " indexes has a page of its own to be written to the log (15 us). The rest is Python: the"
    " notification read and checked, an Event, 26 values.",
}
"""By whether it is a server."""
WHY_SQLITE_WAITS = (
    "SQLite has one writer, and a receiver's transaction is open while it sleeps, so everybody else"
    " waits. Connect receivers that wait with atomic=False."
)


def contest(place: Place, rounds: int) -> tuple[str, list[Bar]]:
    """Everything measured on one server: the text, and the bars."""
    in_process, trips = run_in_process(place, rounds)
    over_http, paced = run_over_http(place, rounds)
    text = [
        f"### {place.name}, in process\n",
        in_process.table(trips),
        f"\n### {place.name}, over HTTP\n",
        over_http.table(),
        f"\nAnswers at {PER_SECOND} deliveries a second, with threads to spare:\n",
        table(
            ["", "p50 ms", "p99 ms", "without a 200"],
            [
                [
                    who,
                    milliseconds(percentile(answers, 0.5)),
                    milliseconds(percentile(answers, 0.99)),
                    f"{answers.count(inf)} of {len(answers)}",
                ]
                for who, answers in paced.items()
            ],
        ),
    ]
    of_the_floor = OF_THE_FLOOR[place.is_server]
    of_floor, by_hand = (in_process.ratio("store only", to) for to in ("floor", "by hand"))
    bars = [
        Bar(
            f"store only vs floor, in process, {place.name}",
            f">= {of_the_floor}",
            f"{of_floor:.2f}",
            of_floor >= of_the_floor,
            WHY_NOT_THE_FLOOR[place.is_server],
        ),
        Bar(
            f"store only vs by hand, in process, {place.name}",
            ">= 3.5",
            f"{by_hand:.1f}",
            by_hand >= 3.5,
            f"The floor itself reached {in_process.ratio('floor', 'by hand'):.1f} in this run.",
        ),
    ]
    bars.append(against_stripes(in_process, place))
    calm = percentile(paced["store only"], 0.99)
    for receiver, how in SLEEPING.items():
        slower = percentile(paced[receiver], 0.99) / calm
        bars.append(
            Bar(
                f"p99 of the answer, a receiver sleeps 200 ms {how}, vs store only, {place.name}",
                "<= 2",
                f"{slower:.2f}",
                slower <= 2,
                WHY_SQLITE_WAITS if receiver == "sleep" and not place.is_server else "",
            )
        )
    if place.is_server:
        stored, both = (trips[who]["round_trips"] for who in ("store only", "store and dispatch"))
        bars += [
            Bar("round trips, store only, change set known", "1", str(stored), stored == 1),
            Bar("round trips, store and dispatch", "<= 6", str(both), both <= 6),
            *footprint(place),
        ]
    return "\n".join(text), bars


def run_in_process(place: Place, rounds: int) -> tuple[Rounds, dict[str, dict[str, Any]]]:
    found = Rounds()
    with (
        bench_database(place.url) as url,
        worker(url) as tell,
        dj_stripe(place.url) as tell_stripes,
    ):
        tell("prepare")
        workers = dict.fromkeys(CONTENDERS, tell)
        if tell_stripes:
            workers[STRIPES] = tell_stripes
        trips = {name: workers[name]("trips", contender=name) for name in workers}
        for name in alternating(rounds, list(workers)):
            found.add(name, workers[name]("ingest", contender=name, count=DELIVERIES))
    return found, trips


def against_stripes(found: Rounds, place: Place) -> Bar:
    """The nearest peer that stores what its view is sent."""
    what, bar = f"store only vs {STRIPES}, in process, {place.name}", ">= 6"
    if STRIPES not in found.by_contender:
        return Bar(what, bar, "pip did not get it", None)
    times = found.ratio("store only", STRIPES)
    return Bar(what, bar, f"{times:.1f}", times >= 6)


def run_over_http(place: Place, rounds: int) -> tuple[Rounds, dict[str, list[float]]]:
    """The flood's rounds, and answers at a walking pace: store only, and with sleeping receivers.

    The servers stand side by side, each with a database of its own, since one that dispatches looks
    for what is due; those that are not asked do nothing else.
    """
    found = Rounds()
    paced: dict[str, list[float]] = {"store only": [], **{receiver: [] for receiver in SLEEPING}}
    with ExitStack() as stack:
        standing = partial(_standing, stack, place)
        storing, _ = standing(STORE_ONLY)
        dispatching, url = standing(IN_PROCESS)
        walking = {"store only": storing} | {
            receiver: standing(IN_PROCESS, receiver)[0] for receiver in SLEEPING
        }
        ends = dict.fromkeys(CONTENDERS, (storing, lambda: None)) | {
            "store and dispatch": (dispatching, partial(wait_until_nothing_is_due, url))
        }
        for contender in CONTENDERS:
            server, end = ends[contender]
            flood(server, PATHS[contender], 100, end)
        for contender in alternating(rounds, CONTENDERS):
            server, end = ends[contender]
            found.add(contender, flood(server, PATHS[contender], OVER_HTTP, end))
        # The sleepers in a transaction last: on SQLite they are not done when their answers are.
        for who in ("store only", "sleep outside", "sleep"):
            pace(walking[who], PATHS["store only"], 20, PER_SECOND)
            for _ in range(rounds):
                paced[who] += pace(walking[who], PATHS["store only"], PACED, PER_SECOND).answers
    return found, paced


def _standing(
    stack: ExitStack, place: Place, hooks: dict[str, Any], receiver: str = "update"
) -> tuple[Server, str]:
    url = stack.enter_context(bench_database(place.url))
    return stack.enter_context(serve(url, "gunicorn", hooks, receiver)), url


def wait_until_nothing_is_due(url: str) -> None:
    """Wait until the receivers of all events have been called."""
    with connected(url) as connection, connection.cursor() as cursor:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM superoffice_hooks_event WHERE next_attempt_at IS NOT NULL"
            )
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.01)
    raise RuntimeError("Some events are not dispatched after a minute.")
