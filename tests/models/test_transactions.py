"""Our own transactions: their level, whatever the project's connections have."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.models import Event, transactions
from superoffice_hooks.models.transactions import own_transaction

pytestmark = pytest.mark.django_db(transaction=True)

SET = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"


@pytest.fixture
def repeatable_read() -> Iterator[None]:
    """The level of a project that has chosen another one."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one level.")
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    options["isolation_level"] = "repeatable read"
    if connection.vendor == "postgresql":
        from psycopg import IsolationLevel

        options["isolation_level"] = IsolationLevel.REPEATABLE_READ
    connection.close()
    yield
    options.clear()
    options.update(before)
    connection.close()


def statements() -> list[str]:
    with CaptureQueriesContext(connection) as queries, own_transaction("default"):
        Event.objects.exists()
    return [query["sql"] for query in queries]


@pytest.mark.usefixtures("repeatable_read")
def test_they_read_what_others_have_committed():
    assert SET in statements()
    # MariaDB shows the level of the session, and not that of this transaction.
    if connection.vendor == "postgresql":
        with own_transaction("default"), connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == ("read committed",)


def test_they_need_no_further_statement_where_that_is_the_level():
    assert SET not in statements()


@pytest.mark.parametrize(
    ("is_logged", "form", "may"),
    [(1, "STATEMENT", False), (1, "ROW", True), (1, "MIXED", True), (0, "STATEMENT", True)],
)
def test_a_binary_log_of_statements_keeps_the_level_of_the_project(
    monkeypatch, is_logged, form, may
):
    cursor = SimpleNamespace(execute=lambda sql: None, fetchone=lambda: (is_logged, form))
    other: Any = SimpleNamespace(vendor="mysql", cursor=lambda: nullcontext(cursor))
    monkeypatch.setattr(transactions, "connections", {"other": other})
    assert transactions._may_set_level.__wrapped__("other") is may


@pytest.mark.usefixtures("repeatable_read")
def test_then_nothing_is_set(monkeypatch):
    monkeypatch.setattr(transactions, "_may_set_level", lambda using: False)
    assert SET not in statements()
