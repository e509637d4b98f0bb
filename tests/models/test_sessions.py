"""Sessions: a session that other code has changed is used by nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from superoffice_hooks.models import sessions

CHANGING = [
    "SET statement_timeout = 5",
    "  set session characteristics as transaction read only",
    "/* trace: 'x' */ SET ROLE other",
    "-- mine\nRESET ALL",
    "SELECT 1; SET search_path TO other",
    "DISCARD ALL",
    "SELECT set_config('search_path', 'other', false)",
    "SELECT SET_CONFIG('a.b', 'true', false)",
    "SELECT pg_advisory_lock(1)",
    "SELECT GET_LOCK('mine', 10)",
    "PRAGMA query_only = on",
    "USE other",
    "LOCK TABLES mine WRITE",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE LOCAL TEMPORARY TABLE mine (id int)",
]
KEEPING = [
    "SELECT 1",
    "UPDATE t SET a = 1; UPDATE t SET b = 2",
    "SET LOCAL statement_timeout = 5",
    "SET TRANSACTION READ ONLY",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "SET STATEMENT max_statement_time = 3 FOR SELECT 1",
    "SELECT set_config('a.b', %s, true)",
    "SELECT usable FROM settings",
    "CREATE TABLE temp (id int)",
    "",
    b"SELECT 2",
]


@pytest.mark.parametrize("statement", CHANGING)
def test_a_statement_that_changes_its_session_is_known(statement):
    assert sessions.is_changed_by(statement)


@pytest.mark.parametrize("statement", KEEPING)
def test_other_statements_change_no_session(statement):
    assert not sessions.is_changed_by(statement)


def test_a_statement_that_psycopg_composes_is_read():
    sql = pytest.importorskip("psycopg.sql")
    composed = sql.SQL("SET {} TO 5").format(sql.Identifier("statement_timeout"))
    assert sessions.is_changed_by(composed)
    assert not sessions.is_changed_by(sql.SQL("SELECT {}").format(sql.Literal("SET a")))


@pytest.fixture
def pooled(db) -> Iterator[BaseDatabaseWrapper]:
    """A connection of a pool that has no other."""
    if connection.vendor != "postgresql":
        pytest.skip("Only PostgreSQL has pools in Django.")
    pytest.importorskip("psycopg_pool")
    pool = {"min_size": 1, "max_size": 1, "timeout": 10}
    own: dict[str, Any] = {**connection.settings_dict, "OPTIONS": {"pool": pool}}
    pooled: Any = ConnectionHandler({"default": own})["default"]
    yield pooled
    pooled.close()
    pooled.close_pool()


def test_a_pool_gives_nobody_a_session_that_was_ended(pooled):
    pooled.cursor().execute("SET search_path TO nowhere")
    sessions.renew(pooled)
    with pooled.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert "nowhere" not in cursor.fetchone()[0]
