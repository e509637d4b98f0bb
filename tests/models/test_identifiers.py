"""Names are told apart by each character, on every database."""

import time

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.models import ChangedField, ChangeSet, Event, ReceiverRun

from ..conftest import SECRET, URL, body

pytestmark = pytest.mark.django_db

ALIKE = ["sales", "Sales", "sålés", "salés", "s\u200bales"]
"""Names that a database may find equal to the first one."""


@pytest.mark.parametrize("other", ALIKE[1:])
def test_endpoints_that_look_alike_are_two(post, other):
    secrets = {"SECRETS": {"sales": [SECRET], other: [SECRET]}}
    with override_settings(SUPEROFFICE_HOOKS=secrets):
        sent = body()
        for endpoint in ("sales", other):
            assert post(sent, url=f"{URL}{endpoint}/").status_code == 200
    assert Event.objects.count() == 2
    assert Event.objects.get(endpoint=other).endpoint == other


def escalate(event, **kwargs):
    Group.objects.create(name="one")


def Escalate(event, **kwargs):  # noqa: N802  (that is the point)
    Group.objects.create(name="two")


@pytest.mark.django_db(transaction=True)
def test_receivers_that_differ_in_case_both_do_their_work(post, connect):
    connect(signals.ticket_changed, escalate)
    connect(signals.ticket_changed, Escalate)
    post(body())
    assert Event.objects.get().status == Event.Status.SUCCEEDED
    assert Group.objects.count() == ReceiverRun.objects.count() == 2


@pytest.mark.parametrize("other", [*ALIKE[1:3], "sales "])
def test_tenants_that_look_alike_have_records_of_their_own(post, other):
    for tenant in ("sales", other):
        post(body(ContextIdentifier=tenant))
    first, second = Event.objects.order_by("pk")
    assert second.previous() is None
    assert first.newest_for_record == first
    assert Event.objects.for_record("ticket", 527331, tenant=other).get() == second


@pytest.mark.parametrize("other", ["y_bär", "y_bar\u200b", "y_baŗ"])
def test_entities_and_event_names_that_look_alike_are_two(post, other):
    sent = {"EventId": "1fc5752a-6de8-412d-847a-12d5529a0ec6"}
    for entity in ("y_bar", other):
        post(body(f"{entity}.changed", **sent))
    assert Event.objects.count() == 2
    assert Event.objects.get(entity=other).name == f"{other}.changed"


def test_changed_fields_that_look_alike_are_two():
    names = ["x_bar", "x_bär", "x_bar\u200b", "x_ba"]
    change_set = ChangeSet.objects.for_names("ticket", names)
    assert change_set is not None
    assert sorted(change_set.fields.values_list("name", flat=True)) == sorted(names)
    assert ChangedField.objects.count() == 4


def test_webhooks_that_differ_in_case_are_two_and_are_searched_without_case(post):
    for name in ("Tickets", "tickets"):
        post(body(WebhookName=name))
    assert Event.objects.filter(webhook_name="tickets").count() == 1
    for lookup in ("istartswith", "icontains", "iexact"):
        assert Event.objects.filter(**{f"webhook_name__{lookup}": "TICKETS"}).count() == 2


@pytest.mark.skipif(connection.vendor != "mysql", reason="the others have no such collations")
def test_no_column_that_is_compared_is_left_out():
    from django.apps import apps

    from superoffice_hooks.models.fields import IdentifierField

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name LIKE 'superoffice_hooks_%'"
        )
        collations = {(table, column): collation for table, column, collation in cursor}
    columns = [
        (model._meta.db_table, field.column)
        for model in apps.get_app_config("superoffice_hooks").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, IdentifierField)
    ]
    assert len(columns) > 8
    assert all(collations[column].endswith("_bin") for column in columns)


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("ticket.*", ["ticket.changed"]),
            ("Ticket.Changed", ["ticket.changed"]),
            ("*.CHANGED", ["ticket.changed", "y_a.changed", "y%a.changed", "y!a.changed"]),
            ("**.**changed**", ["ticket.changed", "y_a.changed", "y%a.changed", "y!a.changed"]),
            ("y_a.*", ["y_a.changed"]),
            ("y%a.*", ["y%a.changed"]),
            ("y!a.*", ["y!a.changed"]),
            ("y_*_*", []),
            ("*_a*", ["y_a.changed"]),
            ("*\\*", []),
            (" * ", ["ticket.changed", "y_a.changed", "y%a.changed", "y!a.changed"]),
            ("*" * 301, []),
        ],
    )
    def test_only_the_star_is_special(self, post, pattern, names):
        for name in ("ticket.changed", "y_a.changed", "y%a.changed", "y!a.changed"):
            post(body(name))
        found = Event.objects.named(pattern).order_by("pk")
        assert list(found.values_list("name", flat=True)) == names

    @pytest.mark.parametrize(
        "pattern", ["a*" * 7 + "c", "a*" * 49 + "c", "*a" * 98 + "*c", "*" * 300]
    )
    def test_many_stars_take_no_time(self, post, pattern):
        post(body("a" * 90 + ".b"))
        started = time.monotonic()
        list(Event.objects.named(pattern))
        # Backtracking would take years, and a loaded machine some seconds.
        assert time.monotonic() - started < 10
