"""Lending: a receiver uses our connection, and a transaction that it leaves open harms nobody."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch_due
from superoffice_hooks.models import Event, ReceiverRun, sessions

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db(transaction=True)

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own")


@pytest.fixture(autouse=True)
def worker():
    """The tests dispatch, in their own thread."""
    hooks = {"SECRETS": [SECRET], "DISPATCH": "worker", "MAX_ATTEMPTS": 1}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield
    # What a test that fails has left open would keep the others from the tables.
    if sessions.is_left_open(connection):
        sessions.renew(connection)


def write_group(event, **kwargs):
    Group.objects.create(name=str(event.pk))


def turns_autocommit_off(event, **kwargs):
    connection.set_autocommit(False)
    write_group(event)


def leaves_a_block_open(event, **kwargs):
    transaction.atomic().__enter__()
    write_group(event)


def leaves_a_block_open_and_raises(event, **kwargs):
    transaction.atomic().__enter__()
    raise ValueError


def begins_in_sql(event, **kwargs):
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    write_group(event)


def committed() -> dict[str, object]:
    """What others see."""
    seen: dict[str, object] = {}

    def look():
        seen["groups"] = Group.objects.count()
        seen["statuses"] = sorted(Event.objects.values_list("status", flat=True))
        seen["outcomes"] = sorted(ReceiverRun.objects.values_list("outcome", flat=True))
        connection.close()

    other = threading.Thread(target=look)
    other.start()
    other.join()
    return seen


@pytest.mark.parametrize(
    ("receiver", "atomic"),
    [
        (turns_autocommit_off, False),
        (leaves_a_block_open, False),
        (leaves_a_block_open, True),
        (leaves_a_block_open_and_raises, False),
        (leaves_a_block_open_and_raises, True),
        pytest.param(
            begins_in_sql,
            False,
            marks=pytest.mark.skipif(
                connection.vendor == "mysql", reason="our next transaction commits it"
            ),
        ),
    ],
)
def test_a_transaction_that_is_left_open_is_a_failure_and_harms_no_other(
    post, connect, receiver, atomic
):
    connect(signals.ticket_changed, receiver, atomic=atomic)
    connect(signals.contact_changed, write_group)
    post(body())
    post(body("contact.changed"))
    list(dispatch_due(5))
    assert not sessions.is_left_open(connection)
    assert committed() == {
        "groups": 1,
        "statuses": ["failed", "succeeded"],
        "outcomes": ["failed", "succeeded"],
    }
    run = ReceiverRun.objects.get(outcome="failed")
    assert "left a transaction open" in run.error


def test_a_transaction_that_a_hook_leaves_open_is_the_hooks_error(post, connect):
    def receiver(event, **kwargs):
        write_group(event)
        transaction.on_commit(lambda: connection.set_autocommit(False))

    connect(signals.ticket_changed, receiver)
    post(body())
    post(body())
    list(dispatch_due(5))
    seen = {"groups": 2, "statuses": ["succeeded"] * 2, "outcomes": ["succeeded"] * 2}
    assert committed() == seen
    assert "left a transaction open" in ReceiverRun.objects.first().error


def test_a_receiver_may_take_the_key_from_its_event(post, connect):
    """As Django's documentation copies a row."""

    def receiver(event, **kwargs):
        write_group(event)
        event.pk = None

    connect(signals.ticket_changed, receiver)
    post(body())
    list(dispatch_due(5))
    assert committed() == {"groups": 1, "statuses": ["succeeded"], "outcomes": ["succeeded"]}


@pytest.mark.parametrize("close", ["by Django", "the driver's"])
def test_a_receiver_without_a_transaction_may_close_our_connection(post, connect, close):
    def closes(event, **kwargs):
        write_group(event)
        (connection if close == "by Django" else connection.connection).close()

    connect(signals.ticket_changed, closes, atomic=False)
    post(body())
    post(body())
    list(dispatch_due(5))
    seen = {"groups": 2, "statuses": ["succeeded"] * 2, "outcomes": ["succeeded"] * 2}
    assert committed() == seen


@pytest.mark.parametrize("leave", [turns_autocommit_off, leaves_a_block_open])
def test_what_a_receiver_of_a_plain_signal_leaves_open_harms_no_event(post, connect, leave):
    connect(signals.receiver_ran, lambda run, event, **kwargs: leave(event))
    connect(signals.ticket_changed, write_group)
    post(body())
    post(body())
    list(dispatch_due(5))
    seen = {"groups": 2, "statuses": ["succeeded"] * 2, "outcomes": ["succeeded"] * 2}
    assert committed() == seen


def test_a_receiver_of_a_plain_signal_may_delete_the_event(post, connect):
    connect(signals.receiver_ran, lambda run, event, **kwargs: event.delete())
    connect(signals.ticket_changed, write_group)
    connect(signals.any_event, lambda event, **kwargs: None)
    post(body())
    post(body("contact.changed"))
    list(dispatch_due(5))
    assert committed() == {"groups": 1, "statuses": [], "outcomes": []}


SETTINGS = {
    "postgresql": [
        "SET statement_timeout TO 100",
        "/* mine */ set default_transaction_read_only to on",
        "SELECT 1; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT set_config('search_path', 'pg_catalog', false)",
        "CREATE TEMPORARY TABLE auth_group (id int)",
        "SELECT pg_advisory_lock(1)",
    ],
    "mysql": ["SET max_statement_time = 0.01", "SET SESSION TRANSACTION READ ONLY"],
    "sqlite": ["PRAGMA query_only = on"],
}
SLEEPS = {"postgresql": "SELECT pg_sleep(0.3)", "mysql": "SELECT sleep(0.3)", "sqlite": "SELECT 1"}


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("statement", SETTINGS[connection.vendor])
def test_what_a_receiver_changes_in_its_session_ends_with_its_call(
    post, connect, statement, atomic
):
    def changes(event, **kwargs):
        connection.cursor().execute(statement)

    def works(event, **kwargs):
        connection.cursor().execute(SLEEPS[connection.vendor])
        write_group(event)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
                assert cursor.fetchone() == (0,)

    connect(signals.ticket_changed, changes, atomic=atomic)
    connect(signals.contact_changed, works)
    post(body())
    post(body("contact.changed"))
    list(dispatch_due(5))
    assert committed()["groups"] == 1
    assert Event.objects.get(name="contact.changed").status == "succeeded"
    # Before its own outcome is stored in its transaction, some settings keep that from it.
    assert atomic or Event.objects.get(name="ticket.changed").status == "succeeded"


@pytest.fixture
def second(transactional_db, monkeypatch) -> Iterator[BaseDatabaseWrapper]:
    """Another database of the project: a second connection to the same one."""
    allowed = BaseDatabaseWrapper.ensure_connection

    def ensure_connection(self):
        # Django's tests refuse a database that they have not prepared.
        if self.alias != "second":
            allowed(self)
        elif self.connection is None:
            self.connect()

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", ensure_connection)
    connections.settings["second"] = {**connection.settings_dict, "ATOMIC_REQUESTS": False}
    yield connections["second"]
    connections["second"].close()
    del connections["second"], connections.settings["second"]


def raises_as_its_session_ends(second):
    second.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")


def ends_its_session(second):
    with suppress(DatabaseError):
        raises_as_its_session_ends(second)


def closes_the_drivers(second):
    second.ensure_connection()
    second.connection.close()


@pytest.mark.parametrize(
    "breaks",
    [
        closes_the_drivers,
        pytest.param(ends_its_session, marks=on_postgresql),
        pytest.param(raises_as_its_session_ends, marks=on_postgresql),
    ],
)
def test_a_dead_connection_to_another_database_is_used_by_no_other_receiver(
    post, connect, second, breaks
):
    if connection.vendor == "mysql":
        pytest.skip("A driver of MySQL notices with the next statement.")

    def uses_it(event, **kwargs):
        second.cursor().execute("SELECT 1")
        write_group(event)

    connect(signals.ticket_changed, lambda **kwargs: breaks(second))
    connect(signals.contact_changed, uses_it)
    second.ensure_connection()
    post(body())
    post(body("contact.changed"))
    list(dispatch_due(5))
    assert Event.objects.get(name="contact.changed").status == "succeeded"


def test_a_connection_to_another_database_is_as_old_as_the_project_allows(post, connect, second):
    used = []

    def uses_it(event, **kwargs):
        second.cursor().execute("SELECT 1")
        used.append(second.connection)

    connect(signals.ticket_changed, uses_it)
    second.settings_dict["CONN_MAX_AGE"] = 3600
    second.ensure_connection()
    for is_old in (False, True, False):
        if is_old:
            second.close_at = time.monotonic()
        post(body())
        list(dispatch_due(5))
    assert used[0] is used[1] is not used[2]


@on_postgresql
def test_the_error_of_a_receiver_that_has_changed_its_session_is_its_failure(post, connect):
    def changes(event, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout TO 50")
            cursor.execute("SELECT pg_sleep(1)")

    connect(signals.ticket_changed, changes, atomic=False)
    post(body())
    list(dispatch_due(5))
    assert committed() == {"groups": 0, "statuses": ["failed"], "outcomes": ["failed"]}
    assert "statement timeout" in ReceiverRun.objects.get().error


@on_postgresql
def test_a_session_is_kept_if_nothing_was_changed_in_it(post, connect):
    sessions_of = []

    def local(event, **kwargs):
        sessions_of.append(connection.connection)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout TO 5000")
            cursor.execute("SELECT set_config('my.tenant', %s, true)", ["x"])
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        write_group(event)
        sessions_of.append(connection.connection)

    connect(signals.ticket_changed, local)
    post(body())
    post(body())
    list(dispatch_due(5))
    assert len({id(session) for session in sessions_of}) == 1


@on_postgresql
@pytest.mark.parametrize(
    "setting",
    ["search_path TO pg_catalog", "ROLE pg_monitor", "default_transaction_read_only TO on"],
)
def test_the_outcome_is_stored_whatever_a_receiver_has_set_in_its_session(post, connect, setting):
    def receiver(event, **kwargs):
        write_group(event)
        with connection.cursor() as cursor:
            cursor.execute(f"SET {setting}")

    connect(signals.ticket_changed, receiver, atomic=False)
    post(body())
    list(dispatch_due(5))
    assert committed() == {"groups": 1, "statuses": ["succeeded"], "outcomes": ["succeeded"]}
