"""The database is stopped, locked, read-only and cut off, under load."""

import threading
import time
from pathlib import Path

import pytest

from superoffice_hooks.testing import State, SuperOffice, Webhook, notification

from ..databases import connected
from . import SECRET
from .conftest import IS_POSTGRES, URL, name_of
from .proxy import Proxy

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(
        not IS_POSTGRES, reason="A database's troubles are tried once, on PostgreSQL."
    ),
]

OUTAGE_SECONDS = 6
READ_ONLY_SECONDS = 20
LOCK_SECONDS = 15
TERMINATIONS = 4
ENOUGH_CUTS = 5
CALM = 0.1
"""Seconds between two events of a sender where many are spooled, for they are stored in the end."""
MODES = pytest.mark.parametrize("mode", ["in_process", "worker"])


@pytest.fixture
def spool(tmp_path) -> Path:
    (tmp_path / "spool").mkdir()
    return Path(tmp_path / "spool")


@MODES
def test_with_a_spool_a_stopped_server_costs_nothing(mode, server, rig_on, spool):
    rig = rig_on(server.url, DISPATCH=mode, SPOOL_DIR=str(spool))
    rig.load.pause = CALM
    rig.serve("gunicorn gthread")
    rig.load.start()
    rig.until(20)
    server.stop("immediate")
    before = len(rig.load.acknowledged)
    time.sleep(OUTAGE_SECONDS)
    during = len(rig.load.acknowledged) - before
    server.start()
    time.sleep(1)
    rig.judge(f"PostgreSQL stopped at once for {OUTAGE_SECONDS} s, {mode}, {during} spooled")
    assert during > 20
    assert rig.load.answers[503] == 0


def test_without_a_spool_a_short_outage_is_a_few_quick_503s(server, rig_on):
    rig = rig_on(server.url)
    url = rig.serve().url
    superoffice, webhook = SuperOffice(timeout=20), Webhook(url=url, secret=SECRET)
    server.stop("fast")
    back = threading.Timer(3, server.start)
    back.start()
    event = notification()
    attempts = superoffice.deliver(webhook, event)
    back.join()
    report = rig.judge("PostgreSQL stopped for 3 s, without a spool")
    refused = [attempt for attempt in attempts if not attempt.succeeded]
    slowest = max(attempt.elapsed for attempt in refused)
    rig.say(f"{len(refused)} attempts were refused, the slowest in {slowest:.3f} s")
    assert {attempt.status for attempt in refused} == {503}
    assert slowest < 1
    assert attempts[-1].succeeded
    assert webhook.state == State.ACTIVE
    assert report["statuses"] == {"succeeded": 1}
    assert report["events"] == [event["EventId"]]


def test_a_server_that_is_stopped_without_a_spool_loses_nothing(server, rig_on):
    rig = rig_on(server.url, DISPATCH="worker")
    rig.serve("gunicorn gthread")
    rig.load.start()
    rig.until(50)
    server.stop("immediate")
    time.sleep(2)
    server.start()
    rig.until(len(rig.load.acknowledged) + 50)
    rig.judge("PostgreSQL stopped at once for 2 s, without a spool, worker")


@MODES
def test_the_server_ends_all_sessions_every_two_seconds(mode, database_url, rig_on):
    rig = rig_on(database_url, DISPATCH=mode)
    rig.serve()
    rig.load.start()
    for _ in range(TERMINATIONS):
        time.sleep(2)
        end_sessions(database_url)
    rig.judge(f"All sessions ended {TERMINATIONS} times, {mode}")


def end_sessions(url: str) -> None:
    with connected(URL) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [name_of(url)],
        )


def test_with_a_spool_a_read_only_database_costs_nothing(server, rig_on, spool):
    rig = rig_on(server.url, SPOOL_DIR=str(spool))
    rig.load.pause = CALM
    rig.serve("gunicorn gthread")
    dispatcher = rig.watch()
    rig.load.start()
    rig.until(20)
    server.set_read_only("on")
    before = len(rig.load.acknowledged)
    time.sleep(READ_ONLY_SECONDS)
    during = len(rig.load.acknowledged) - before
    server.set_read_only("off")
    time.sleep(2)
    ended = dispatcher.exits
    rig.judge(f"Read-only for {READ_ONLY_SECONDS} s, {during} spooled")
    assert during > 20
    assert rig.load.answers[503] == 0
    assert ended == [], "The dispatcher ended, because the database was read-only."


def test_with_a_spool_a_locked_table_makes_nobody_wait(database_url, rig_on, spool):
    rig = rig_on(database_url, SPOOL_DIR=str(spool))
    rig.load.pause = CALM
    rig.serve("gunicorn gthread")
    rig.load.start()
    rig.until(20)
    before = len(rig.load.acknowledged)
    with connected(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE superoffice_hooks_event IN ACCESS EXCLUSIVE MODE")
        time.sleep(LOCK_SECONDS)
        during = len(rig.load.acknowledged) - before
        cursor.execute("ROLLBACK")
    time.sleep(1)
    slowest = rig.load.slowest
    rig.judge(f"Table locked for {LOCK_SECONDS} s, {during} spooled, slowest {slowest:.1f} s")
    assert during > 20
    assert slowest < 5
    assert rig.load.answers[503] == 0


@MODES
def test_the_answer_to_a_commit_is_lost(mode, database_url, rig_on, chance):
    """The commit was applied, but its process sees a connection that broke."""
    with Proxy(database_url, chance) as proxy:
        rig = rig_on(proxy.url, DISPATCH=mode)
        rig.serve()
        proxy.probability = 0.05
        rig.load.start()
        rig.until(100)
        while proxy.cuts <= ENOUGH_CUTS:
            rig.until(len(rig.load.acknowledged) + 10)
        rig.load.stop()
        proxy.probability = 0.0
        rig.judge(f"The answer to {proxy.cuts} commits lost, {mode}")
