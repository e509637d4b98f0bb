"""What an event takes on PostgreSQL's disk and in its log, from the POST until it has succeeded."""

from tests.databases import connected

from .figures import Bar
from .places import Place, bench_database
from .processes import worker

EVENTS, TURNS = 100, 50
DISK_TIMES, WAL_TIMES = 2.3, 5.0
RECEIVER = "nothing"
"""It writes nothing, so the rest is ours: the event, its run and what its steps leave behind."""

WHY_SO_LARGE = (
    "Payload (780 bytes), body (670) and headers (210) are compressed by PostgreSQL; the rest is"
    " ten indexes, and room for new versions of rows, which VACUUM keeps in the table. In a trial"
    " without the payload it was 1.7 times a body that we deflated; but no query could look into"
    " payloads any more, and the log had 9.4 times the body, since it stood in the row again."
)
WHY_SO_MUCH = (
    "An event is written when it is stored, claimed, begun and finished; one that is stored as"
    " begun, when it is stored and finished. Its body and payload go to the log once (1 700 bytes),"
    " but PostgreSQL writes a new version of the rest of the row each time, and but for the begin"
    " each version has an entry of about 70 bytes in all of the ten indexes."
)


def footprint(place: Place) -> list[Bar]:
    """Store, dispatch and vacuum some events at a time, as autovacuum does all the time."""
    disk, log = _written(place, "store only")
    _, log_in_process = _written(place, "store and dispatch")
    body = disk["body"]
    taken = disk["rows"] + disk["indexes"]
    runs = disk["runs"]
    return [
        Bar(
            f"disk per event after dispatch and VACUUM vs its body, {place.name}",
            f"<= {DISK_TIMES:g}",
            f"{taken / body:.2f} (body {body:.0f}, row {disk['rows']:.0f}, indexes"
            f" {disk['indexes']:.0f} bytes; the run of a receiver {runs:.0f} more)",
            taken / body <= DISK_TIMES,
            WHY_SO_LARGE,
        ),
        Bar(
            f"WAL per event from the POST to succeeded vs its body, {place.name}",
            f"<= {WAL_TIMES:g}",
            f"{log / body:.2f} ({log:.0f} bytes), claimed by a worker; {log_in_process / body:.2f}"
            f" ({log_in_process:.0f} bytes), stored as begun in the process that receives it",
            log / body <= WAL_TIMES,
            WHY_SO_MUCH,
        ),
    ]


def _written(place: Place, contender: str) -> tuple[dict[str, float], float]:
    """What the events take on the disk, and the bytes that each wrote to the log."""
    with bench_database(place.url) as url, worker(url, BENCH_RECEIVER=RECEIVER) as tell:
        tell("ingest", contender=contender, count=1)
        tell("dispatch")
        written, disk = 0.0, dict[str, float]()
        for _ in range(TURNS):
            start = _log_position(place)
            tell("ingest", contender=contender, count=EVENTS)
            tell("dispatch")
            written += _log_position(place) - start
            disk = tell("disk")
    return disk, written / (TURNS * EVENTS)


def _log_position(place: Place) -> float:
    with connected(place.url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
        return float(cursor.fetchone()[0])
