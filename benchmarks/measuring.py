"""What a worker process can measure. Each result is JSON."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client, override_settings
from prometheus_client import CollectorRegistry, generate_latest

from superoffice_hooks.contrib.prometheus.standing import register
from superoffice_hooks.models import Event, ReceiverRun
from superoffice_hooks.replay.running import Criteria, plan, replay
from tests.tracing import traced

from . import deliveries, filling
from .contenders import stripes
from .contenders.models import Seen
from .contenders.receivers import RECORDS, do_nothing
from .hops import Hops
from .striped import NAME as STRIPES

application = get_wsgi_application()

STORE_ONLY = {"DISPATCH": "worker"}
CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "floor": ("/floor/", STORE_ONLY),
    "by hand": ("/by-hand/", STORE_ONLY),
    STRIPES: ("", STORE_ONLY),
    "store only": ("/superoffice/webhook/", STORE_ONLY),
    # In the request's own thread, so that all of it is timed.
    "store and dispatch": ("/superoffice/webhook/", {"DISPATCH": "in_process", "LANES": 0}),
}
RECORDS_LOOKED_AT = 20


def prepare() -> None:
    """Rows for the receiver to update, and somebody who may see the admin."""
    Seen.objects.bulk_create([Seen() for _ in range(RECORDS)])
    get_user_model().objects.create_superuser("bench")


def ingest(contender: str, count: int) -> dict[str, Any]:
    """Take so many deliveries in, one after the other.

    ``seconds`` and ``cpu`` (this process's) include what is done after the answer, ``answers`` are
    the seconds until each answer was there.
    """
    _path, hooks = CONTENDERS[contender]
    requests = requests_to(contender, count)
    answers = []
    with configured(hooks):
        started, cpu = time.perf_counter(), time.process_time()
        for environ in requests:
            asked = time.perf_counter()
            response = application(environ, accept)
            answers.append(time.perf_counter() - asked)
            response.close()
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"count": count, "seconds": seconds, "cpu": cpu, "answers": answers}


def requests_to(contender: str, count: int) -> list[dict[str, Any]]:
    """The requests of a contender's sender."""
    if contender == STRIPES:
        return stripes.environs(count)
    return deliveries.environs(CONTENDERS[contender][0], count)


def trips(contender: str) -> dict[str, Any]:
    """Statements and round trips of one delivery whose change set is known."""
    ingest(contender, 2)
    _path, hooks = CONTENDERS[contender]
    (environ,) = requests_to(contender, 1)
    with configured(hooks), traced(connection) as trace:
        application(environ, accept).close()
    return asdict(trace)


def hops(lanes: int) -> list[tuple[str, str]]:
    """Return the calls into the package of one delivery, until its receiver has returned."""
    with configured({"DISPATCH": "in_process", "LANES": lanes}):
        hops = Hops()
        for environ in deliveries.environs("/superoffice/webhook/", 5):
            # The last one counts, once the lanes are idle again.
            time.sleep(0.5)
            hops.calls.clear()
            hops.is_on = True
            application(environ, accept).close()
        time.sleep(0.5)
    assert not hops.is_on
    sys.setprofile(None)
    return hops.calls


def fill(count: int, days: int) -> None:
    """Store so many events, received over so many days."""
    ingest("store only", 1)
    filling.fill(count, days)
    # A replay leaves out what is not finished.
    Event.objects.filter(next_attempt_at__isnull=False).update(
        status=Event.Status.SUCCEEDED, next_attempt_at=None
    )


def dispatch() -> None:
    """Call the receivers of all that is due."""
    call_command("superoffice_dispatch", verbosity=0, stdout=StringIO())


def disk() -> dict[str, float]:
    """Bytes per stored event on PostgreSQL: what SuperOffice sent, and what it takes here."""
    with connection.cursor() as cursor:
        table = Event._meta.db_table
        cursor.execute(f"VACUUM ANALYZE {table}, {ReceiverRun._meta.db_table}")
        cursor.execute(
            "SELECT count(*), avg(octet_length(body)), pg_table_size(%s), pg_indexes_size(%s)"
            f" FROM {table}",
            [table, table],
        )
        count, body, rows, indexes = cursor.fetchone()
        runs = ReceiverRun._meta.db_table
        cursor.execute("SELECT pg_total_relation_size(%s)", [runs])
        (of_runs,) = cursor.fetchone()
    return {
        "body": float(body),
        "rows": rows / count,
        "indexes": indexes / count,
        "runs": of_runs / count,
    }


def admin_list() -> float:
    """Seconds that the first page of the list of events takes."""
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(get_user_model().objects.get())
    return timed(lambda: client.get("/admin/superoffice_hooks/event/"), times=3)


def changed() -> float:
    """Seconds that the fifty newest events which changed a field take."""
    return timed(lambda: list(Event.objects.changed("priority")[:50]), times=5)


def timeline() -> float:
    """Seconds that the events of one record take; of some of the newest events."""
    events = list(Event.objects.all()[:RECORDS_LOOKED_AT])
    return timed(lambda: list(Event.objects.for_record(*record(events.pop()))), times=len(events))


def scrape() -> float:
    """Seconds that a scrape by Prometheus takes, of what is read from the database."""
    connection.ensure_connection()
    registry = CollectorRegistry()
    register(registry)
    return timed(lambda: generate_latest(registry), times=9)


def record(event: Event) -> tuple[str, int, str]:
    """The record it concerns."""
    return event.entity, event.primary_key or 0, event.tenant


def replay_again(count: int) -> dict[str, float]:
    """Replay so many events to a receiver that does nothing; the peak is the process's, in MB."""
    criteria = Criteria(limit=count)
    started = time.perf_counter()
    done = replay(plan(criteria, who="benchmarks", reason="to see how long it takes"))
    assert done.done == count, done.failed
    return {"seconds": time.perf_counter() - started, "peak": peak()}


def loop(count: int) -> dict[str, float]:
    """What a replay is compared with: each event loaded, and the function called."""
    keys = Event.objects.order_by("pk").values_list("pk", flat=True)[:count]
    started = time.perf_counter()
    for key in keys.iterator():
        do_nothing(event=Event.objects.get(pk=key))
    return {"seconds": time.perf_counter() - started, "peak": peak()}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(do: Callable[[], object], times: int) -> float:
    """The mean of so many times, after one that does not count."""
    started = time.perf_counter()
    for number in range(times):
        if number == 1:
            started = time.perf_counter()
        do()
    return (time.perf_counter() - started) / (times - 1)


def configured(hooks: dict[str, Any]) -> override_settings:
    """The settings with other values of ours."""
    return override_settings(SUPEROFFICE_HOOKS={**settings.SUPEROFFICE_HOOKS, **hooks})


def accept(status: str, *headers: Any) -> Callable[[bytes], object]:
    """Receive an answer's first lines; anything but 200 ends the benchmark."""
    assert status.startswith("200 "), status
    return bytes
