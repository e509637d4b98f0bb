"""``make bench``: the contenders in process and over HTTP, on one database after the other."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from math import inf
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.databases import connected

from .figures import Bar, Rounds, alternating, milliseconds, percentile, table
from .over_http import Server, flood, pace, serve
from .places import Place, bench_database
from .processes import ROOT, environment_on, worker

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

WHY_NOT_THE_FLOOR = {
    True: "In a trial PostgreSQL took 240 us for our INSERT of 26 columns and 100 us for the"
    " floor's of one, whatever the number of indexes (4 us each). The rest is Python: the"
    " notification read and checked, an Event, 26 values put into the statement as text; bound on"
    " the server and prepared, they take 90 us less.",
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
    with bench_database(place.url) as url:
        in_process, trips = run_in_process(url, rounds)
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
    of_floor, by_hand = (in_process.ratio("store only", to) for to in ("floor", "by hand"))
    bars = [
        Bar(
            f"store only vs floor, in process, {place.name}",
            ">= 0.75",
            f"{of_floor:.2f}",
            of_floor >= 0.75,
            WHY_NOT_THE_FLOOR[place.is_server],
        ),
        Bar(
            f"store only vs by hand, in process, {place.name}",
            ">= 4",
            f"{by_hand:.1f}",
            by_hand >= 4,
            f"The floor itself reached {in_process.ratio('floor', 'by hand'):.1f} in this run.",
        ),
    ]
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
            disk_bar(place),
        ]
    return "\n".join(text), bars


def run_in_process(url: str, rounds: int) -> tuple[Rounds, dict[str, dict[str, Any]]]:
    found = Rounds()
    with worker(url) as tell:
        tell("prepare")
        trips = {contender: tell("trips", contender=contender) for contender in CONTENDERS}
        for contender in alternating(rounds, CONTENDERS):
            found.add(contender, tell("ingest", contender=contender, count=DELIVERIES))
    return found, trips


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


def disk_bar(place: Place) -> Bar:
    with bench_database(place.url) as url, worker(url) as tell:
        tell("ingest", contender="store only", count=5000)
        disk = tell("disk")
    times = (disk["rows"] + disk["indexes"]) / disk["body"]
    return Bar(
        "disk per event vs its body",
        "<= 2.3",
        f"{times:.2f} (body {disk['body']:.0f}, row {disk['rows']:.0f},"
        f" indexes {disk['indexes']:.0f} bytes)",
        times <= 2.3,
        "A row of about 1 880 bytes (payload 780, body 670, headers 210) fits a page of 8 KB four"
        " times; to fit five times it would have to have 1 630. Bodies deflated by us (510) do not"
        " help: the row is then too short for PostgreSQL to compress the payload (1 080).",
    )


def start_up(rounds: int) -> Bar:
    """What the app adds to django.setup(), and whether it asks the database for anything.

    In processor time, which does not count how busy the machine is with others, and with all code
    compiled, as pip leaves it.
    """
    times: dict[str, list[float]] = {"": [], "superoffice_hooks": []}
    queries = 0
    with TemporaryDirectory() as compiled:
        for apps in times:
            _setup(apps, compiled)
        for _ in range(max(rounds, 5) * 2):
            for apps, found in times.items():
                seconds, connected = _setup(apps, compiled)
                found.append(seconds)
                queries += connected
    more = median(times["superoffice_hooks"]) - median(times[""])
    return Bar(
        "django.setup() with the app, more than without",
        "< 25 ms, no query",
        f"{more * 1000:.0f} ms, {'no query' if not queries else 'queries'}",
        more < 0.025 and not queries,
        "The seven models are most of it: Django's own work on their fields and relations.",
    )


def _setup(apps: str, compiled: str) -> tuple[float, bool]:
    code = (
        "import json, time; started = time.process_time(); import django; django.setup();"
        " seconds = time.process_time() - started; from django.db import connection;"
        " print(json.dumps([seconds, connection.connection is not None]))"
    )
    environment = environment_on(
        "sqlite:///unused.sqlite3",
        BENCH_APPS=apps,
        PYTHONPYCACHEPREFIX=compiled,
        PYTHONDONTWRITEBYTECODE="",
    )
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment)
    seconds, connected = json.loads(printed)
    return seconds, connected
