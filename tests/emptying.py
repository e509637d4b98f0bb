"""How a test that commits leaves the database: without a row, but for those that migrations wrote.

Django's own way truncates each table, and then writes the permissions anew. On PostgreSQL that
takes longer than a test does.
"""

from typing import Any

from django.db import connections, transaction

from superoffice_hooks import dispatcher
from superoffice_hooks.models import changed_fields

_SECONDS = 10

OF_MIGRATIONS = {"auth_permission", "django_content_type", "django_migrations"}


def empty_all(case: Any) -> None:
    """Empty the databases of a TransactionTestCase, once no lane writes to them any more."""
    dispatcher.wait_until_idle(_SECONDS)
    for using in case._databases_names(include_mirrors=False):
        empty(using)
    changed_fields._forget_all()


def empty(using: str) -> None:
    """Delete the rows of each table in a database, but for those that migrations wrote."""
    connection = connections[using]
    names = connection.introspection.django_table_names(only_existing=True)
    # PostgreSQL and SQLite compare foreign keys at the end, when all are gone.
    with (
        transaction.atomic(using=using),
        connection.constraint_checks_disabled(),
        connection.cursor() as cursor,
    ):
        for name in set(names) - OF_MIGRATIONS:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608
