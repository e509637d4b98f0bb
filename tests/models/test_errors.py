"""What an error means is told by its code; here each database really makes it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import DataError, InterfaceError, InternalError, OperationalError, connection
from django.db.utils import ConnectionHandler

from superoffice_hooks.models.errors import (
    Kind,
    is_away,
    is_lost,
    kind_of,
    wants_fresh_connection,
)

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's codes")
on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's codes")
with_database = pytest.mark.django_db(transaction=True)


def error_of(work: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (which one it is, is the question)
        work()
    return caught.value


@pytest.fixture
def other() -> Iterator[Any]:
    """A second connection to the database of the tests, closed in the end."""
    made = connection.copy()
    yield made
    made.close()


def run(on: Any, *statements: str) -> None:
    with on.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def table(definition: str) -> Iterator[None]:
    run(connection, f"CREATE TABLE errors_made {definition}")
    try:
        yield
    finally:
        run(connection, "DROP TABLE errors_made")


# PostgreSQL -----------------------------------------------------------------------------------


@on_postgresql
@with_database
@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        (["SET default_transaction_read_only = on", "CREATE TABLE x (n int)"], Kind.GONE),
        (["SET statement_timeout = 50", "SELECT pg_sleep(5)"], Kind.BUSY),
        (["SELECT * FROM nowhere"], Kind.SCHEMA),
        (["SELECT nothing FROM pg_class"], Kind.SCHEMA),
        (["CREATE TABLE nowhere.x (n int)"], Kind.SCHEMA),
        (["SET ROLE pg_monitor", "SELECT * FROM superoffice_hooks_event"], Kind.SCHEMA),
        (["EXECUTE nothing"], Kind.SCHEMA),
        (["SELECT cast('x' AS int)"], Kind.ROW),
        (["SELECT 1 / 0"], Kind.ROW),
        (["CREATE TEMP TABLE x (n varchar(3))", "INSERT INTO x VALUES ('long')"], Kind.ROW),
        (["CREATE TEMP TABLE x (n int NOT NULL)", "INSERT INTO x VALUES (NULL)"], Kind.ROW),
        (["SELECT FROM WHERE"], Kind.UNKNOWN),
    ],
)
def test_postgresqls_errors(other, statements, kind):
    error = error_of(lambda: run(other, *statements))
    assert kind_of(error) is kind
    assert is_away(error) is (kind in (Kind.GONE, Kind.BUSY, Kind.SCHEMA))
    assert not is_lost(error)


@on_postgresql
@with_database
def test_a_nul_in_a_text_is_this_rows(other):
    with other.cursor() as cursor:
        assert kind_of(error_of(lambda: cursor.execute("SELECT %s", ["\0"]))) is Kind.ROW


@on_postgresql
@with_database
def test_a_table_that_somebody_has_locked_is_busy(other):
    with table("(n int)"):
        other.set_autocommit(False)
        run(other, "LOCK TABLE errors_made")
        work = ("SET lock_timeout = 50", "SELECT * FROM errors_made")
        error = error_of(lambda: run(connection, *work))
        other.rollback()
        connection.close()
    assert kind_of(error) is Kind.BUSY


@on_postgresql
@with_database
def test_two_transactions_in_each_others_way_are_busy(other):
    with table("(n int)"):
        run(connection, "INSERT INTO errors_made VALUES (1)")
        other.set_autocommit(False)
        begin = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT * FROM errors_made")
        run(other, *begin)
        run(connection, "UPDATE errors_made SET n = 2")
        error = error_of(lambda: run(other, "UPDATE errors_made SET n = 3"))
        other.rollback()
    assert kind_of(error) is Kind.BUSY


@on_postgresql
@with_database
def test_a_session_that_the_server_ended_is_lost(other):
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    run(connection, f"SELECT pg_terminate_backend({pid})")
    for _ in range(2):  # the server says so once, then the connection is closed
        error = error_of(lambda: run(other, "SELECT 1"))
        assert kind_of(error) is Kind.GONE
        assert is_lost(error)


@on_postgresql
@with_database
def test_a_plan_that_is_out_of_date_wants_a_new_connection(other):
    with table("(n int)"):
        run(other, "PREPARE errors_plan AS SELECT * FROM errors_made")
        run(connection, "ALTER TABLE errors_made ADD COLUMN m int")
        error = error_of(lambda: run(other, "EXECUTE errors_plan"))
        again = error_of(lambda: run(other, "PREPARE errors_plan AS SELECT 1"))
        other.close()
    for one in (error, again):
        assert kind_of(one) is Kind.SCHEMA
        assert wants_fresh_connection(one)


@on_postgresql
@with_database
@pytest.mark.parametrize(
    "nowhere", [{"PORT": "1"}, {"NAME": "nowhere"}, {"USER": "nobody_at_all"}], ids=str
)
def test_a_postgresql_that_lets_nobody_in_is_gone(other, nowhere):
    other.settings_dict = {**other.settings_dict, "HOST": "127.0.0.1", **nowhere}
    error = error_of(lambda: run(other, "SELECT 1"))
    assert kind_of(error) is Kind.GONE
    assert wants_fresh_connection(error)


@on_postgresql
@with_database
def test_a_pool_with_nothing_to_give_is_gone(other):
    pytest.importorskip("psycopg_pool")
    alias = "a pool of one"
    options = {"pool": {"min_size": 1, "max_size": 1, "timeout": 0.2}}
    pooled = {**connection.settings_dict, "OPTIONS": options}
    handler = ConnectionHandler({"default": pooled, alias: pooled})
    first: Any = handler[alias]
    try:
        run(first, "SELECT 1")
        second = first.copy()
        error = error_of(lambda: run(second, "SELECT 1"))
    finally:
        first.close()
        first.close_pool()
    assert kind_of(error) is Kind.GONE


# MariaDB --------------------------------------------------------------------------------------


@on_mariadb
@with_database
@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        (["START TRANSACTION READ ONLY", "DELETE FROM superoffice_hooks_event"], Kind.GONE),
        (["SET STATEMENT max_statement_time = 0.05 FOR SELECT sleep(5) FROM dual"], Kind.BUSY),
        (["SELECT * FROM nowhere"], Kind.SCHEMA),
        (["SELECT nothing FROM superoffice_hooks_event"], Kind.SCHEMA),
        (["CREATE TEMPORARY TABLE x (n varchar(3))", "INSERT INTO x VALUES ('long')"], Kind.ROW),
        (["CREATE TEMPORARY TABLE x (n tinyint)", "INSERT INTO x VALUES (1000)"], Kind.ROW),
        (["CREATE TEMPORARY TABLE x (n int NOT NULL)", "INSERT INTO x VALUES (NULL)"], Kind.ROW),
        (["CREATE TEMPORARY TABLE x (n int CHECK (n > 0))", "INSERT INTO x VALUES (0)"], Kind.ROW),
        (
            [
                "CREATE TEMPORARY TABLE x (n varchar(9) CHARACTER SET utf8mb3)",
                "INSERT INTO x VALUES ('\N{GRINNING FACE}')",
            ],
            Kind.ROW,
        ),
        (["SELECT FROM WHERE"], Kind.UNKNOWN),
    ],
)
def test_mariadbs_errors(other, statements, kind):
    error = error_of(lambda: run(other, *statements))
    assert kind_of(error) is kind, error
    assert not is_lost(error)


@on_mariadb
@with_database
def test_a_row_that_somebody_has_locked_is_busy(other):
    with table("(n int PRIMARY KEY)"):
        run(connection, "INSERT INTO errors_made VALUES (1)")
        other.set_autocommit(False)
        run(other, "UPDATE errors_made SET n = 2")
        wait = "SET STATEMENT innodb_lock_wait_timeout = 1 FOR DELETE FROM errors_made"
        error = error_of(lambda: run(connection, wait))
        other.rollback()
    assert kind_of(error) is Kind.BUSY


@on_mariadb
@with_database
def test_a_connection_that_the_server_killed_is_lost(other):
    with other.cursor() as cursor:
        cursor.execute("SELECT connection_id()")
        (number,) = cursor.fetchone()
    run(connection, f"KILL {number}")
    error = error_of(lambda: run(other, "SELECT 1"))
    assert kind_of(error) is Kind.GONE
    assert is_lost(error)


@on_mariadb
@with_database
@pytest.mark.parametrize(
    "nowhere", [{"PORT": "1"}, {"NAME": "nowhere"}, {"USER": "nobody_at_all"}], ids=str
)
def test_a_mariadb_that_lets_nobody_in_is_gone(other, nowhere):
    other.settings_dict = {**other.settings_dict, "HOST": "127.0.0.1", **nowhere}
    assert kind_of(error_of(lambda: run(other, "SELECT 1"))) is Kind.GONE


# SQLite, which is at hand wherever the tests run ------------------------------------------------


@pytest.fixture
def file(tmp_path) -> Path:
    path: Path = tmp_path / "errors.sqlite3"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE made (n integer NOT NULL UNIQUE)")
    return path


def sqlite_connection(name: Any, **options: Any) -> Any:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(name), "OPTIONS": options}
    return ConnectionHandler({"default": database})["default"]


def sqlite_error(name: Any, *statements: str, **options: Any) -> BaseException:
    on = sqlite_connection(name, **options)
    try:
        return error_of(lambda: run(on, *statements))
    finally:
        on.close()


@with_database
@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        (["SELECT * FROM nowhere"], Kind.SCHEMA),
        (["SELECT absent FROM made"], Kind.SCHEMA),
        (["INSERT INTO made (absent) VALUES (1)"], Kind.SCHEMA),
        (["INSERT INTO made VALUES (NULL)"], Kind.ROW),
        (["INSERT INTO made VALUES (1)", "INSERT INTO made VALUES (1)"], Kind.ROW),
        (["SELECT zeroblob(2000000000)"], Kind.ROW),
        (["PRAGMA max_page_count = 3", "INSERT INTO made VALUES (zeroblob(99999))"], Kind.GONE),
        (["SELECT FROM WHERE"], Kind.UNKNOWN),
    ],
)
def test_sqlites_errors(file, statements, kind):
    error = sqlite_error(file, *statements)
    assert kind_of(error) is kind, error


@with_database
def test_a_file_that_another_process_writes_to_is_busy(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert kind_of(sqlite_error(file, "DELETE FROM made", timeout=0)) is Kind.BUSY


@with_database
def test_a_file_that_may_only_be_read_is_gone(file):
    error = sqlite_error(f"file:{file}?mode=ro", "DELETE FROM made", uri=True)
    assert kind_of(error) is Kind.GONE


@with_database
def test_a_file_that_is_missing_or_no_database_is_gone(tmp_path):
    assert kind_of(sqlite_error(tmp_path / "no" / "where", "SELECT 1")) is Kind.GONE
    (tmp_path / "text").write_bytes(b"this is no database " * 500)
    assert kind_of(sqlite_error(tmp_path / "text", "SELECT * FROM made")) is Kind.GONE


@with_database
def test_a_number_that_no_column_holds_is_this_rows(file):
    with closing(sqlite_connection(file)) as on, on.cursor() as cursor:
        error = error_of(lambda: cursor.execute("INSERT INTO made VALUES (%s)", [2**70]))
    assert kind_of(error) is Kind.ROW


# Without a database ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OperationalError("server closed the connection unexpectedly"), Kind.GONE),
        (InterfaceError("connection already closed"), Kind.GONE),
        (InterfaceError(0, ""), Kind.GONE),
        (OperationalError(2006, "MySQL server has gone away"), Kind.GONE),
        (OperationalError(1366, "Incorrect string value"), Kind.ROW),
        (InternalError("something else"), Kind.UNKNOWN),
        (OperationalError(9999, "from a later version"), Kind.UNKNOWN),
        (DataError("invalid"), Kind.ROW),
        # Numbers of errors that are no database's.
        (KeyError(2006), Kind.UNKNOWN),
        (OSError(1205, "not MySQL's"), Kind.UNKNOWN),
        (ZeroDivisionError(), Kind.UNKNOWN),
    ],
    ids=repr,
)
def test_errors_without_a_cause(error, kind):
    assert kind_of(error) is kind
