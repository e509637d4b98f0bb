"""With 200 000 events, what asks for changed fields still asks an index, and no oftener."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from superoffice_hooks.models import Event
from superoffice_hooks.retention.pruning import steps

from .conftest import Poster, body
from .filling import multiply_events

pytestmark = [
    pytest.mark.hard,
    pytest.mark.django_db,
    pytest.mark.usefixtures("many_events"),
    pytest.mark.xdist_group("many events"),  # filled once
    pytest.mark.skipif(
        connection.vendor not in ("sqlite", "postgresql"),
        reason="the plans of SQLite and PostgreSQL are looked at; MariaDB's are not promised",
    ),
]

TEMPLATES = 40
PRUNED_UP_TO = 4500
"""Of each template, so many copies have been pruned."""


@pytest.fixture(scope="module")
def many_events(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Filled once. No test changes a row: what PostgreSQL rolls back, it would plan around."""
    with django_db_blocker.unblock():
        fill(Poster())
    yield
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)


def fill(post: Poster) -> None:
    for number in range(TEMPLATES):
        changes = ["id", "last_changed", f"x_{number}", *(["priority"] if number % 10 == 0 else [])]
        name = ("ticket.changed", "sale.changed", "contact.changed")[number % 3]
        post(body(name, Changes=changes, FieldValues={"priority": number}))
    pruned_at = f"CASE WHEN numbers.n <= {PRUNED_UP_TO} THEN CURRENT_TIMESTAMP END"
    multiply_events(200_000 // TEMPLATES, pruned_at=pruned_at)
    post(body(Changes=["x_once"]))


def planned(ask) -> list[str]:
    """The plans of the queries that this asks."""
    queries = []

    def note(execute, sql, parameters, *arguments):
        if "SAVEPOINT" not in sql:
            queries.append((sql, parameters))
        return execute(sql, parameters, *arguments)

    with connection.execute_wrapper(note):
        ask()
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    plans = []
    with connection.cursor() as cursor:
        for sql, parameters in queries:
            cursor.execute(f"{explain} {sql}", parameters)
            steps = [" ".join(map(str, row)) for row in cursor.fetchall()]
            plan = "\n".join([sql, *steps])
            plans.append(plan.replace(Event._meta.db_table, "event"))
    return plans


def reads_all_events(plan: str) -> bool:
    """Whether a plan goes through the table itself from start to end."""
    if connection.vendor == "postgresql":
        return bool(re.search(r"Seq Scan on event\b(?!_)", plan))
    scan = re.search(r"SCAN event(?! USING)", plan)
    # By the key, from the newest down to where there are enough, is what PostgreSQL calls an index
    # scan backward on the primary key.
    return bool(scan) and not re.search(r'ORDER BY "event"."id" DESC LIMIT \d+\n', plan)


def test_a_plan_that_reads_all_events_is_recognised():
    assert Event.objects.count() == TEMPLATES + 200_001
    (plan,) = planned(lambda: list(Event.objects.filter(webhook_name="").order_by("webhook_name")))
    assert reads_all_events(plan), plan


def test_a_field_that_changed_once_is_looked_up_and_not_searched_for_from_the_newest_down():
    _, plan = planned(lambda: list(Event.objects.changed("x_once")[:50]))
    used = "SEARCH event USING INDEX" if connection.vendor == "sqlite" else "Index Scan using event"
    assert used in plan.replace("superoffice_hooks_", ""), plan


@pytest.mark.parametrize(
    ("ask", "queries"),
    [
        pytest.param(lambda: list(Event.objects.changed("priority")[:50]), 2, id="changed"),
        pytest.param(lambda: list(Event.objects.changed("x_7")[:50]), 2, id="changed, seldom"),
        pytest.param(
            lambda: list(Event.objects.field_history("ticket", 4000, "priority")),
            2,
            id="field_history",
        ),
        pytest.param(
            lambda: list(Event.objects.for_record("ticket", 4000, tenant="Default")),
            1,
            id="for_record",
        ),
        pytest.param(
            lambda: call_command("superoffice_fields", stdout=StringIO()),
            2,
            id="superoffice_fields",
        ),
        pytest.param(
            lambda: call_command("superoffice_fields", since="1h", stdout=StringIO()),
            2,
            id="superoffice_fields of the last hour",
        ),
    ],
)
def test_a_question_about_changed_fields_uses_an_index(ask, queries):
    plans = planned(ask)
    assert len(plans) == queries
    for plan in plans:
        assert not reads_all_events(plan), plan
    assert any(re.search("(?i)index", plan) for plan in plans)


@pytest.mark.parametrize(
    ("what", "index"),
    [("bodies", "superoffice_event_prune"), ("events", "superoffice_event_received")],
)
def test_pruning_finds_and_locks_a_batch_by_indexes_and_passes_over_what_is_pruned(what, index):
    """What is done with a batch then, is done by its keys."""

    def prune_nothing() -> None:
        # The copies are from the near future.
        for step in steps({what: timedelta(days=-1)}):
            next(replace(step, act=lambda rows, keys: None).prune(500), None)

    plans = [plan for plan in planned(prune_nothing) if 'FROM "event"' in plan]
    assert len(plans) >= 3
    for plan in plans:
        assert not reads_all_events(plan), plan
    for plan in (plan for plan in plans if "LIMIT 500" in plan):
        assert index in plan, plan
