"""The wide columns of an event are not written again with each of its steps."""

import secrets

import pytest
from django.db import connection

from superoffice_hooks.models import Event
from superoffice_hooks.models.wide_columns import keep_wide_columns_apart

from ..conftest import body

pytestmark = [pytest.mark.django_db]


def options() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [Event._meta.db_table])
        return list(cursor.fetchone()[0] or [])


def kept_apart() -> set[int]:
    """The values that stand beside the table, by their numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = %s",
            [Event._meta.db_table],
        )
        cursor.execute(f"SELECT DISTINCT chunk_id FROM {cursor.fetchone()[0]}")  # noqa: S608
        return {number for (number,) in cursor.fetchall()}


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="It is PostgreSQL's storage.")
class TestOnPostgresql:
    def test_body_and_payload_stand_apart_and_stay_there(self, post):
        assert post(body(Properties=secrets.token_hex(1000))).status_code == 200
        apart = kept_apart()
        assert len(apart) == 2
        Event.objects.update(status=Event.Status.FAILED, attempts=7)
        assert kept_apart() == apart

    def test_migrating_again_changes_nothing(self, django_assert_num_queries):
        assert options() == ["toast_tuple_target=1024"]
        with django_assert_num_queries(1):
            keep_wide_columns_apart(using="default")

    def test_a_value_of_somebodys_own_stays(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE superoffice_hooks_event SET (toast_tuple_target = 2048)")
        keep_wide_columns_apart(using="default")
        assert options() == ["toast_tuple_target=2048"]
