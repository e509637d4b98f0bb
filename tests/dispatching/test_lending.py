"""Lending: a receiver uses our connection, and a transaction that it leaves open harms nobody."""

import threading

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
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
