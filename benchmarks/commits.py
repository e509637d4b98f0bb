"""Commits per event, as PostgreSQL counts them."""

import time
from urllib.parse import urlsplit

from tests.databases import connected

from .figures import Bar
from .places import Place, bench_database
from .processes import manage, worker

EVENTS = 500


def commits(place: Place) -> list[Bar]:
    """Of storing events, and of one worker that dispatches them to one atomic receiver."""
    with bench_database(place.url) as url:
        with worker(url) as tell:
            tell("ingest", contender="store only", count=1)
        start = committed(place, url)
        with worker(url) as tell:
            tell("ingest", contender="store only", count=EVENTS)
        stored = committed(place, url)
        manage(url, "superoffice_dispatch", BENCH_RECEIVER="write")
        dispatched = committed(place, url)
    storing, dispatching = (stored - start) / EVENTS, (dispatched - stored) / EVENTS
    both = storing + dispatching
    return [
        Bar(
            f"commits per event, stored and dispatched to one atomic receiver, {place.name}",
            "2 to 2.2",
            f"{both:.2f} ({storing:.2f} and {dispatching:.2f})",
            2 <= round(both, 2) <= 2.2,
        )
    ]


def committed(place: Place, url: str) -> int:
    """How many transactions a database has seen, those that only read included.

    Read from another database, so that reading is not counted.
    """
    time.sleep(1.5)  # sessions report what they did once a second, and as they end
    with connected(place.url) as connection, connection.cursor() as cursor:
        name = urlsplit(url).path.removeprefix("/")
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = %s", [name])
        return int(cursor.fetchone()[0])
