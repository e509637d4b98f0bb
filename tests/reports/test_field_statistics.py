"""Statistics of changed fields: added up over change sets, right to the last event."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.reports.field_statistics import (
    FieldCount,
    NoiseCount,
    Unheard,
    Unseen,
    count,
)

from ..conftest import body, documented

pytestmark = pytest.mark.django_db


@pytest.fixture
def events(post):
    """Six events of two entities."""
    for changes in (["id", "priority"], ["id", "Priority", "title"], ["id"], []):
        post(body(Changes=changes))
    post(body("ticket.created", Changes=[]))
    post(body("sale.sold", Changes=["sale_id", "updated"]))


def test_how_often_each_field_changed(events):
    assert count().fields() == [
        FieldCount("sale", "sale_id", 1, 1),
        FieldCount("sale", "updated", 1, 1),
        FieldCount("ticket", "id", 3, 5),
        FieldCount("ticket", "priority", 2, 5),
        FieldCount("ticket", "title", 1, 5),
    ]


def test_within_a_window_and_of_one_entity(events):
    Event.objects.filter(name="ticket.changed").update(
        received_at=timezone.now() - timedelta(days=2)
    )
    yesterday = timezone.now() - timedelta(days=1)
    assert {field.entity for field in count(since=yesterday).fields()} == {"sale"}
    assert {field.entity for field in count(until=yesterday).fields()} == {"ticket"}
    assert [field.name for field in count(entity="ticket").fields()] == ["id", "priority", "title"]
    assert count(since=timezone.now()).fields() == []


def test_the_share_of_noise(events):
    assert count().noise() == [NoiseCount("sale", 0, 1), NoiseCount("ticket", 1, 5)]


def test_it_counts_the_same_noise_as_the_events_do(post):
    for name in (
        "seed-ticket.changed",
        "sale-events-04-sale.sold",
        "list-events-05-list.110.changed",
    ):
        post(documented(name))
    post(body(Changes=["ID", "last_changed"]))
    counted = sum(noise.times for noise in count().noise())
    assert counted == sum(event.is_noise for event in Event.objects.all()) == 1


class TestUnheard:
    """Changes that no receiver is told of."""

    def test_without_receivers_all_of_them(self, events):
        assert count(entity="ticket").unheard() == [
            Unheard("ticket.changed", "id", 3),
            Unheard("ticket.changed", "priority", 2),
            Unheard("ticket.changed", "title", 1),
        ]

    @pytest.mark.parametrize(
        ("options", "unheard"),
        [
            ({"fields": {"PRIORITY"}}, ["id", "title"]),
            ({"fields": {"*it*"}}, ["id"]),
            ({"fields": "significant"}, ["id"]),
            ({"fields": lambda event: {"title"}}, []),
            ({}, []),
        ],
    )
    def test_a_filter_lets_some_of_them_through(self, events, connect, options, unheard):
        connect(signals.ticket_changed, lambda **kwargs: None, **options)
        assert [pair.name for pair in count(entity="ticket").unheard()] == unheard

    def test_every_receiver_listens_for_all(self, events, connect):
        connect(signals.ticket_changed, lambda **kwargs: None, fields={"title"})

        def other(**kwargs):
            pass

        connect(signals.any_event, other, fields="priority")
        assert [pair.name for pair in count(entity="ticket").unheard()] == ["id"]


class TestUnseen:
    """Names in fields= that never came: often misspelt."""

    def test_a_misspelt_name_is_found(self, post, connect):
        post(body("contact.changed", Changes=["orgNr", "x_Region"]))
        receiver = connect(
            signals.contact_changed,
            lambda **kwargs: None,
            fields={"orgNumber", "ORGNR", "x_*", "y*"},
        )
        path = dotted_path(receiver)
        assert count().unseen() == [
            Unseen(path, "contact.changed", "orgnumber"),
            Unseen(path, "contact.changed", "y*"),
        ]

    def test_the_field_of_another_entity_does_not_count(self, post, connect):
        post(body("contact.changed", Changes=["name"]))
        connect(signals.ticket_changed, lambda **kwargs: None, fields={"name"})
        assert [unseen.name for unseen in count().unseen()] == ["name"]

    def test_a_pattern_listens_to_all_entities_it_matches(self, post, connect):
        post(body("list.category.changed", Changes=["rank"]))
        connect(signals.on("list.*.changed"), lambda **kwargs: None, fields={"rank"})
        assert count().unseen() == []
        assert count(entity="list.category").unseen() == []

    def test_one_without_fields_names_none(self, connect):
        def takes(**kwargs):
            pass

        connect(signals.ticket_changed, takes)
        connect(signals.ticket_created, takes, fields="significant")
        assert count().unseen() == []

    def test_only_of_the_entity_that_is_asked_for(self, connect):
        connect(signals.ticket_changed, lambda **kwargs: None, fields={"title"})
        assert count(entity="sale").unseen() == []
        assert len(count(entity="ticket").unseen()) == 1


def test_it_takes_two_queries_however_much_there_is(events, post, django_assert_num_queries):
    for number in range(20):
        post(body(f"y_{number}.changed", Changes=[f"x_{number}", "id"]))
    with django_assert_num_queries(2):
        counted = count()
        assert len(counted.fields()) > 40
        assert counted.noise()
        assert counted.unheard()
        assert counted.unseen() == []


def test_nothing_is_counted_row_by_row(events):
    statements = []

    def note(execute, sql, *arguments):
        statements.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        count()
    assert "GROUP BY" in statements[1]
    assert "payload" not in "".join(statements)
