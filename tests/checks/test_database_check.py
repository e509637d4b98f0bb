"""A database that cannot hold every character is found by ``check --database``."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from superoffice_hooks.checks import check_database

from ..conftest import body

pytestmark = pytest.mark.django_db(transaction=True)

only_there = pytest.mark.skipif(connection.vendor != "mysql", reason="others hold all of Unicode")


@pytest.fixture
def narrow_column() -> Iterator[None]:
    """As in a table that was made when MariaDB's "utf8" was what people chose."""
    change = (
        "ALTER TABLE superoffice_hooks_event MODIFY webhook_name varchar(255)"
        " CHARACTER SET {} NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(change.format("utf8mb3"))
        yield
        cursor.execute(change.format("utf8mb4 COLLATE utf8mb4_nopad_bin"))


def test_nothing_is_said_of_tables_that_migrate_made(post):
    assert check_database(databases=["default"]) == []
    assert post(body(WebhookName="Tickets 😀")).status_code == 200


def test_no_database_is_asked_where_django_asks_for_none(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert check_database(databases=None) == []


@only_there
@pytest.mark.usefixtures("narrow_column")
def test_w008_a_column_cannot_hold_every_character():
    [message] = check_database(databases=["default"])
    assert message.id == "superoffice_hooks.W008"
    assert "superoffice_hooks_event.webhook_name cannot" in message.msg
    stderr = StringIO()
    call_command("check", databases=["default"], stderr=stderr)
    assert "superoffice_hooks.W008" in stderr.getvalue()
