"""The database refuses: is it this row, or is the database away? And nobody waits for either."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings

from superoffice_hooks.models import Event, Redelivery, Rejection, time_limits
from superoffice_hooks.receiving import deliveries, pausing, spool
from superoffice_hooks.receiving.pausing import Pause, pause

from ..conftest import SECRET, body
from ..spooling import POISON_URL, altered, connecting_with, read_only, refusing

pytestmark = pytest.mark.django_db(transaction=True)

on_servers = pytest.mark.skipif(connection.vendor == "sqlite", reason="no server")
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own")
on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's own")


@pytest.fixture(autouse=True)
def no_receivers():
    secrets = {"default": [SECRET], "poison": [SECRET]}
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets, "DISPATCH": "worker"}):
        yield


@pytest.fixture
def spooling(settings, tmp_path):
    """There is a spool."""
    hooks = {**settings.SUPEROFFICE_HOOKS, "SPOOL_DIR": tmp_path}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield


@pytest.fixture
def other():
    """A second connection to the database of the tests."""
    made = connection.copy()
    yield made
    made.close()


def drained() -> int:
    pause.end()
    list(deliveries.drain())
    return Event.objects.count()


# Away -----------------------------------------------------------------------------------------


@contextmanager
def a_column_less() -> Iterator[None]:
    """As while a rolling deploy has migrated and this process has the old code."""
    rename = "ALTER TABLE superoffice_hooks_event RENAME COLUMN {} TO {}"
    there, back = rename.format("webhook_name", "hook"), rename.format("hook", "webhook_name")
    with altered(there, back):
        yield


@contextmanager
def no_table() -> Iterator[None]:
    rename = "ALTER TABLE {} RENAME TO {}"
    names = "superoffice_hooks_event", "superoffice_hooks_elsewhere"
    with altered(rename.format(*names), rename.format(*reversed(names))):
        yield


AWAY = [
    pytest.param(read_only, id="read-only"),
    pytest.param(a_column_less, id="a column less"),
    pytest.param(no_table, id="no table"),
]


@pytest.mark.parametrize("away", AWAY)
def test_a_database_that_is_away_is_spooled_for_and_keeps_no_rejection(post, spooling, away):
    with away():
        assert [post(body()).status_code for _ in range(3)] == [200] * 3
        assert spool.standing().length == 3
        pause.end()
        assert list(deliveries.drain()) == []
        assert (spool.standing().length, spool.standing().set_aside) == (3, 0)
    assert drained() == 3
    assert not Rejection.objects.exists()


@pytest.mark.parametrize("away", AWAY)
def test_without_a_spool_it_is_503_and_the_next_one_is_tried_again(post, away):
    with away():
        assert [post(body()).status_code for _ in range(2)] == [503] * 2
    assert post(body()).status_code == 200
    assert (Event.objects.count(), Rejection.objects.count()) == (1, 0)


def test_an_outage_is_logged_once_and_not_for_each_delivery(
    post, spooling, database_away, caplog, clock
):
    with database_away():
        for _ in range(5):
            post(body())
            clock.now += 6
        list(deliveries.drain())
    assert caplog.text.count("The database cannot take deliveries") == 1


def test_draining_notes_that_the_database_is_away(post, spooling, database_away, caplog):
    with database_away():
        post(body())
    pause.end()
    caplog.clear()
    with database_away():
        assert list(deliveries.drain()) == []
        assert not pause.is_over()
    assert caplog.text.count("The database cannot take deliveries") == 1


def test_an_event_that_is_stored_already_is_revived_though_the_database_was_away(
    post, spooling, database_away
):
    sent = body()
    post(sent)
    with database_away():
        post(sent)
    assert drained() == 1
    assert Redelivery.objects.count() == 1


# This row -------------------------------------------------------------------------------------


def test_what_the_database_does_not_take_is_kept_whole_as_a_rejection(post, spooling):
    sent = body()
    with refusing("superoffice_hooks_event"):
        assert post(sent, url=POISON_URL).status_code == 200
        assert post(body()).status_code == 200
    assert Event.objects.count() == 1
    rejection = Rejection.objects.get()
    assert (rejection.verified, bytes(rejection.body)) == (True, sent)
    assert rejection.reason.startswith("not storable")
    assert spool.standing().length == 0


def test_an_error_of_this_row_begins_no_pause(post, spooling):
    with refusing("superoffice_hooks_event"), refusing("superoffice_hooks_rejection"):
        assert post(body(), url=POISON_URL).status_code == 200
        assert post(body()).status_code == 200
    assert (Event.objects.count(), spool.standing().length) == (1, 1)


@on_mariadb
def test_a_character_that_the_columns_cannot_hold_is_no_outage(post, spooling):
    modify = "ALTER TABLE superoffice_hooks_event MODIFY webhook_name varchar(255) CHARACTER SET"
    # As the migration makes it, or the tests that follow compare names without case.
    usual = f"{modify} utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL"
    with altered(f"{modify} utf8mb3 NOT NULL", usual):
        assert post(body(WebhookName="Tickets \N{GRINNING FACE}")).status_code == 200
        assert post(body()).status_code == 200
    assert (Event.objects.count(), Rejection.objects.count()) == (1, 1)
    assert spool.standing().length == 0


@on_mariadb
def test_a_row_that_breaks_the_connection_each_time_is_kept_and_hurts_no_other(post, spooling):
    """A body above half of max_allowed_packet: an event has it twice, a rejection once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        (limit,) = cursor.fetchone()
    sent = body(FieldValues={f"x_{n}": "y" * 10_000 for n in range(limit * 6 // 100_000)})
    hooks = {"SECRETS": [SECRET], "DISPATCH": "worker", "MAX_BODY_BYTES": 2 * limit}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        assert post(sent).status_code == 200
        assert post(body()).status_code == 200
    assert Event.objects.count() == 1
    assert bytes(Rejection.objects.get().body) == sent


# Dead connections -----------------------------------------------------------------------------


@on_servers
def test_a_connection_that_the_server_ended_is_replaced(post, other):
    post(body())
    end_all_sessions(other)
    assert post(body()).status_code == 200
    assert Event.objects.count() == 2


@on_postgresql
def test_a_pool_of_dead_connections_is_gone_through(post, other):
    pytest.importorskip("psycopg_pool")
    options = {"pool": {"min_size": 6, "max_size": 6, "timeout": 5}}
    pooled: Any = connection
    with connecting_with(OPTIONS=options, CONN_MAX_AGE=0):
        try:
            assert post(body()).status_code == 200
            connection.close()
            pooled.pool.wait(10)
            end_all_sessions(other)
            answers = []
            for _ in range(8):
                connection.close()
                answers.append(post(body()).status_code)
        finally:
            connection.close()
            pooled.close_pool()
    assert answers == [200] * 8
    assert Event.objects.count() == 9


def end_all_sessions(other) -> None:
    """End all sessions of the test database but one, as a restart of the server does."""
    with other.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute(
            "SELECT id FROM information_schema.processlist"
            " WHERE db = database() AND id <> connection_id()"
        )
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


@on_postgresql
@pytest.mark.parametrize("setting", ["search_path TO pg_catalog", "ROLE pg_monitor"])
def test_settings_that_other_code_left_in_the_session_are_no_outage(post, setting):
    with connection.cursor() as cursor:
        cursor.execute(f"SET {setting}")
    assert post(body()).status_code == 200
    assert Event.objects.count() == 1


@pytest.mark.skipif(connection.vendor == "mysql", reason="its driver does not say")
def test_what_is_answered_200_is_no_part_of_a_transaction_that_other_code_left_open(post, other):
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    assert post(body()).status_code == 200
    with other.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM superoffice_hooks_event")
        assert cursor.fetchone() == (1,)


# Time limits ----------------------------------------------------------------------------------


@contextmanager
def locked_table(other) -> Iterator[None]:
    if other.vendor == "postgresql":
        other.set_autocommit(False)
        lock, unlock = "LOCK TABLE superoffice_hooks_event", "ROLLBACK"
    else:
        lock, unlock = "LOCK TABLES superoffice_hooks_event WRITE", "UNLOCK TABLES"
    with other.cursor() as cursor:
        cursor.execute(lock)
        try:
            yield
        finally:
            cursor.execute(unlock)


@on_servers
def test_a_locked_table_costs_one_delivery_a_second_and_the_others_nothing(post, spooling, other):
    post(body())
    seconds = []
    with locked_table(other):
        for _ in range(20):
            before = time.monotonic()
            assert post(body()).status_code == 200
            seconds.append(time.monotonic() - before)
    assert seconds[0] < 2
    assert max(seconds[1:]) < 0.4
    assert drained() == 21


@on_servers
def test_without_a_spool_a_locked_table_is_a_quick_503(post, other):
    post(body())
    with locked_table(other):
        before = time.monotonic()
        assert post(body()).status_code == 503
        assert time.monotonic() - before < 3
    assert post(body()).status_code == 200


@on_servers
def test_the_limits_end_with_the_statement(post):
    def limits() -> list[object]:
        names = {
            "postgresql": ["lock_timeout", "statement_timeout"],
            "mysql": ["lock_wait_timeout", "innodb_lock_wait_timeout", "max_statement_time"],
        }[connection.vendor]
        show = "SHOW {}" if connection.vendor == "postgresql" else "SELECT @@{}"
        with connection.cursor() as cursor:
            found = []
            for name in names:
                cursor.execute(show.format(name))
                found.append(cursor.fetchone()[0])
            return found

    before = limits()
    sent = body()
    for _ in range(2):  # an event, then a redelivery
        assert post(sent).status_code == 200
    assert limits() == before
    with transaction.atomic():
        assert post(body()).status_code == 200
        assert limits() == before


@on_servers
def test_every_statement_of_a_delivery_is_limited(post):
    seen: list[str] = []

    def note(execute, sql, params, many, context):
        limited = next(
            (wrapper for wrapper in connection.execute_wrappers if wrapper is not note), None
        )
        seen.append(getattr(limited, "__module__", ""))
        return execute(sql, params, many, context)

    post(body())  # after which Django knows what the server is
    sent = body(Changes=["a_new_field"])
    with connection.execute_wrapper(note):
        post(sent)
        post(sent)
    assert len(seen) > 4
    assert set(seen) == {time_limits.__name__}


@on_postgresql
def test_with_server_side_binding_there_are_no_limits_and_events_all_the_same(post):
    with connecting_with(OPTIONS={"server_side_binding": True}):
        sent = body()
        assert [post(sent).status_code for _ in range(2)] == [200, 200]
        assert Event.objects.count() == Redelivery.objects.count() == 1


# The pause ------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, by hand."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def without_spool(settings):
    """A pause of this process alone."""
    assert "SPOOL_DIR" not in settings.SUPEROFFICE_HOOKS


def test_a_pause_holds_for_all_processes_of_the_machine(spooling, monkeypatch):
    one, other = Pause(), Pause()
    one.begin()
    assert not other.is_over()
    with other.trying():
        pass
    assert other.is_over()
    one.begin()
    (file,) = spool.folder().iterdir()
    for seconds, expected in ((1, False), (-1, False), (6, True), (0, False)):
        if seconds:
            then = time.time() - seconds
            os.utime(file, (then, then))
        # One asks, and the others wait for what becomes of it.
        assert other.is_over() is expected
    with other.trying():
        pass
    assert list(spool.folder().iterdir()) == []
    assert Pause().is_over()


def test_draining_asks_whatever_other_processes_saw_and_ends_their_pause(post, spooling):
    other = Pause()
    other.begin()
    assert post(body()).status_code == 200
    assert spool.standing().length == 1
    assert len(list(deliveries.drain())) == 1
    assert Pause().is_over()


def test_after_a_failure_one_delivery_in_a_while_asks_the_database(without_spool, clock):
    paused = Pause()
    assert paused.is_over()
    assert paused.begin()
    assert not paused.begin()
    assert not paused.is_over()
    clock.now += pausing.PAUSE_SECONDS
    assert [paused.is_over() for _ in range(3)] == [True, False, False]
    clock.now += pausing.PAUSE_SECONDS
    with paused.trying():
        pass
    assert [paused.is_over() for _ in range(3)] == [True] * 3


def test_while_somebody_waits_for_too_long_the_others_do_not_ask(clock):
    paused = Pause()
    with paused.trying():
        assert paused.is_over()
        clock.now += 10
        assert not paused.is_over()
    assert paused.is_over()


def test_a_failure_is_no_answer(clock):
    paused = Pause()
    paused.begin()
    with pytest.raises(ValueError, match="away"), paused.trying():
        raise ValueError("away")
    assert not paused.is_over()


def test_the_end_of_a_pause_is_found_by_a_delivery(post, spooling, database_away, clock):
    with database_away():
        post(body())
    pause.begin()
    post(body())
    assert Event.objects.count() == 0
    clock.now += 6
    sent = body(PrimaryKey=3)
    assert post(sent).status_code == 200
    assert Event.objects.filter(primary_key=3).exists()


def test_without_a_spool_the_database_is_asked_each_time(post):
    pause.begin()
    assert post(body()).status_code == 200
    assert Event.objects.count() == 1


def test_a_database_that_does_not_answer_holds_those_in_hand_alone(post, spooling, monkeypatch):
    """As a host that swallows packets: the delivery that asks it waits for the driver."""
    monkeypatch.setattr(pausing, "_PATIENCE_SECONDS", 0.2)
    began, go_on = threading.Event(), threading.Event()
    record = deliveries.record

    def hang(delivery, **kwargs):
        began.set()
        go_on.wait(20)
        return record(delivery, **kwargs)

    def deliver() -> None:
        post(body())
        connections.close_all()

    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "record", hang)
        thread = threading.Thread(target=deliver)
        thread.start()
        began.wait(10)
    time.sleep(0.3)
    before = time.monotonic()
    assert [post(body()).status_code for _ in range(5)] == [200] * 5
    # Who waits does so for twenty seconds.
    assert time.monotonic() - before < 10
    assert spool.standing().length == 5
    go_on.set()
    thread.join()
    assert drained() == 6
