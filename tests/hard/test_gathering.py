"""Processes are killed while events gather: each goes with one call per receiver, and once."""

import signal
from collections import Counter
from typing import Any

import pytest

from ..databases import connected
from .conftest import IS_POSTGRES, IS_SQLITE, URL
from .load import SENDERS, Load
from .processes import send, wait_until
from .rig import Rig

pytestmark = pytest.mark.hard

MANY, SOME = (1000, 300) if IS_POSTGRES else (150, 100)
OF_A_RECORD = 5
GATHERINGS = "SELECT count(*) FROM superoffice_hooks_gathering"
SETTLE = 5
"""As the receiver in arrivals says."""
BLOWS = 20 if IS_POSTGRES else 6


@pytest.mark.parametrize(
    ("mode", "ordered", "events"),
    [("worker", False, MANY), ("worker", True, SOME), ("in_process", False, SOME)],
)
def test_no_event_is_unaccounted_for(mode, ordered, events, database_url, rig_on):
    rig = rig_on(database_url, DISPATCH=mode, ORDERED=ordered)
    rig.load = Load(
        lambda: rig.web.url, name="hard.gathered", records=events // OF_A_RECORD // SENDERS
    )
    rig.serve()
    rig.harass(signal.SIGKILL, events, BLOWS)
    report = rig.judge(f"Gathering, {mode}{', ORDERED' * ordered}, {events // OF_A_RECORD} records")
    say_calls(rig, report)
    assert report["left"] == 0
    assert report["statuses"] == {"succeeded": len(report["events"])}
    settled = [call for receiver, *call in report["calls"] if receiver == "settle_together"]
    assert sum(events for events, _, _ in settled) == len(report["events"])
    # Whoever was killed: no call is for two records, and none comes before its first event settled.
    assert {records for _, records, _ in settled} == {1}
    assert min(seconds for _, _, seconds in settled) >= SETTLE


def say_calls(rig: Rig, report: dict[str, Any]) -> None:
    calls = Counter(receiver for receiver, *_ in report["calls"])
    rig.say(f"{len(report['events'])} events; calls for several events: {dict(calls)}")


def test_without_kills_a_burst_on_a_record_is_one_call(database_url, rig_on):
    events = SOME
    rig = rig_on(database_url, DISPATCH="worker")
    rig.load = Load(
        lambda: rig.web.url, pause=0, name="hard.gathered", records=events // OF_A_RECORD // SENDERS
    )
    rig.serve()
    rig.load.start()
    rig.until(events)
    report = rig.judge(f"Gathering without kills, {events // OF_A_RECORD} records")
    say_calls(rig, report)
    assert report["left"] == 0
    assert set(Counter(run[3] for run in report["runs"])) == {"succeeded"}


@pytest.mark.skipif(not URL.startswith("mysql"), reason="Only MariaDB locks gaps.")
def test_deadlocks_of_repeatable_read_cost_a_retry_and_nothing_else(database_url, rig_on):
    events = 1500
    url = f"{database_url}?isolation_level=repeatable+read"
    rig = rig_on(url, DISPATCH="worker", LANES=4)
    rig.load = Load(lambda: rig.web.url, pause=0, name="hard.crowded", records=10)
    rig.serve()
    rig.watch()
    rig.watch()
    rig.load.start()
    rig.until(events)
    report = rig.judge("Gathering under REPEATABLE READ")
    say_calls(rig, report)
    assert report["left"] == 0
    assert report["statuses"] == {"succeeded": len(report["events"])}
    assert set(Counter(run[3] for run in report["runs"])) == {"succeeded"}


@pytest.mark.skipif(IS_SQLITE, reason="Its whole database is locked while another hand writes.")
def test_what_waited_for_gatherings_that_somebody_deleted_is_called(database_url, rig_on):
    rig = rig_on(database_url, DISPATCH="worker")
    rig.load = Load(lambda: rig.web.url, pause=0, name="hard.gathered", records=5)
    rig.serve()
    rig.load.start()
    rig.until(SOME // 2)
    wait_until(lambda: rig.project.ask(GATHERINGS), "events that have joined")
    with connected(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM superoffice_hooks_gathering")
        deleted = cursor.rowcount
    rig.until(SOME)
    # A dispatcher looks for what is stranded when it starts, and then once a minute.
    for dispatcher in rig.dispatchers:
        send(dispatcher.process.pid, signal.SIGKILL)
    report = rig.judge(f"Gathering, {deleted} gatherings deleted")
    say_calls(rig, report)
    assert deleted
    assert report["left"] == 0
    assert report["statuses"] == {"succeeded": len(report["events"])}
