"""docs/upgrading.md moves the data of the version before lanes, without losing or repeating any."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.utils import ConnectionHandler

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch_due
from superoffice_hooks.models import Event, Redelivery, Replay

from .test_docs import PAGES, section

OLD = Path(__file__).parent / "upgrading"
HEADINGS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# An interval has another form on each database.
DURATION = {"sqlite": "20000", "postgresql": "interval '20 milliseconds'"}

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

calls: list[tuple[str, int]] = []


def called(event, **kwargs):
    calls.append(("called", event.primary_key))


def succeeded_before(event, **kwargs):
    calls.append(("succeeded_before", event.primary_key))


def run_script(text: str) -> None:
    """Run the statements one by one; each ends with a line's end."""
    with connection.cursor() as cursor:
        for statement in re.split(r";\n", text):
            if statement.strip():
                cursor.execute(statement)


@pytest.fixture
def old(transactional_db, tmp_path) -> Iterator[str]:
    """A database of its own for this thread, with the tables and the data of the old version."""
    usual = connections["default"]
    if usual.vendor not in HEADINGS:
        pytest.skip("No statements have been tried for this database.")
    own: dict[str, Any] = {**usual.settings_dict, "ATOMIC_REQUESTS": False}
    name = f"upgraded_{uuid.uuid4().hex}"
    if usual.vendor == "sqlite":
        own["NAME"] = str(tmp_path / "old.sqlite3")
    else:
        own["NAME"] = name
        with usual.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    connections["default"] = ConnectionHandler({"default": own})["default"]
    try:
        run_script((OLD / f"{usual.vendor}.sql").read_text("utf-8"))
        data = (OLD / "data.sql").read_text("utf-8")
        run_script(data.replace("{duration}", DURATION[usual.vendor]))
        yield usual.vendor
    finally:
        connections["default"].close()
        connections["default"] = usual
        if usual.vendor == "postgresql":
            with usual.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def upgraded(old) -> None:
    """The old database after the statements of the page."""
    told = section(PAGES["docs/upgrading.md"], HEADINGS[old])
    (statements,) = re.findall(r"```sql\n(.*?)```", told, re.DOTALL)
    run_script(statements)


def test_the_tables_are_those_of_the_models(upgraded):
    for model in apps.get_app_config("superoffice_hooks").get_models(include_auto_created=True):
        table = model._meta.db_table
        with connection.cursor() as cursor:
            there = connection.introspection.get_table_description(cursor, table)
            constraints = connection.introspection.get_constraints(cursor, table)
        columns = {field.column: field.null for field in model._meta.local_concrete_fields}
        assert {column.name: bool(column.null_ok) for column in there} == columns
        assert {index.name for index in model._meta.indexes} <= set(constraints)


def test_what_was_unfinished_is_dispatched_and_no_success_is_repeated(upgraded, connect):
    calls.clear()
    connect(signals.ticket_changed, called)
    connect(signals.ticket_changed, succeeded_before)
    waiting = Event.objects.get(pk=2)
    assert (waiting.status, waiting.next_attempt_at.year) == ("pending", 2999)
    list(dispatch_due(10))
    assert sorted(calls) == [("called", 1), ("called", 3), ("succeeded_before", 1)]
    assert dict(Event.objects.values_list("pk", "status")) == {
        1: "succeeded",
        2: "pending",
        3: "succeeded",
        4: "succeeded",
        5: "handled",
    }
    # The attempt that had begun stays counted.
    assert dict(Event.objects.values_list("pk", "attempts")) == {1: 1, 2: 1, 3: 2, 4: 1, 5: 5}
    assert list(Event.objects.exclude(next_attempt_at=None).values_list("pk", flat=True)) == [2]


def test_nothing_else_is_lost(upgraded):
    handled = Event.objects.get(pk=5)
    assert (handled.handled_by, handled.handled_reason) == ("anna", "by hand")
    assert handled.changes == ("priority",)
    assert Redelivery.objects.get().event_id == 1
    unfinished, finished = Replay.objects.order_by("pk")
    assert (unfinished.reason, unfinished.receivers, unfinished.position) == ("a fix", None, 4)
    assert unfinished.criteria == {"entity": "ticket"}
    assert unfinished.claimed_until is None
    assert finished.receivers == ["tests.test_upgrading.called"]
