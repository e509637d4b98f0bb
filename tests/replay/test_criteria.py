"""Selecting: which events meet which criteria, and criteria that are kept as JSON."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks.models import ChangedField, Event, ReceiverRun
from superoffice_hooks.replay.criteria import TABLE, Criteria, frozen, select

from ..conftest import Poster, body, documented

pytestmark = pytest.mark.django_db


class TestSelecting:
    """All criteria must be met; no criteria mean all events."""

    @pytest.fixture(scope="class")
    @classmethod
    def stored(cls, rows_of_the_class):
        post = Poster()
        post(documented("seed-ticket.created"))
        post(documented("seed-ticket.changed"))
        post(documented("contact-events-02-contact.changed"))
        post(documented("list-events-03-list.category.softdeleted"))
        post(documented("list-events-06-list.110.softdeleted"))

    @pytest.fixture(autouse=True)
    def events(self, stored):
        """Five, of three entities and two of their lists."""

    @pytest.mark.parametrize(
        ("criteria", "names"),
        [
            ({"name": "ticket.changed"}, ["ticket.changed"]),
            ({"name": "TICKET.*"}, ["ticket.created", "ticket.changed"]),
            (
                {"name": "list.*.softdeleted"},
                ["list.category.softdeleted", "list.110.softdeleted"],
            ),
            ({"name": "*.changed"}, ["ticket.changed", "contact.changed"]),
            ({"name": "ticket"}, []),
            ({"entity": "Ticket"}, ["ticket.created", "ticket.changed"]),
            ({"entity": "ticket", "primary_key": 527331}, ["ticket.created", "ticket.changed"]),
            ({"entity": "contact", "primary_key": 527331}, []),
            ({"primary_key": 994863}, ["contact.changed"]),
            (
                {"tenant": "Cust1234"},
                ["contact.changed", "list.category.softdeleted", "list.110.softdeleted"],
            ),
            ({"changed": ("Priority",)}, ["ticket.changed"]),
            ({"changed": ("priority", "DEPARTMENT")}, ["ticket.changed", "contact.changed"]),
            ({"status": "failed"}, []),
            ({"endpoint": "elsewhere"}, []),
            (
                {"event_ids": (UUID("1fc5752a-6de8-412d-847a-12d5529a0ec6"),)},
                ["ticket.created", "ticket.changed"],
            ),
            ({"limit": 2}, ["ticket.created", "ticket.changed"]),
            ({"name": "list.*", "limit": 1}, ["list.category.softdeleted"]),
        ],
    )
    def test_by(self, criteria, names):
        assert [event.name for event in select(Criteria(**criteria))] == names

    def test_by_the_name_of_the_webhook(self, post):
        post(body("sale.sold", WebhookName="CRM"))
        assert [event.name for event in select(Criteria(webhook_name="CRM"))] == ["sale.sold"]

    def test_by_primary_keys(self):
        event = Event.objects.named("contact.*").get()
        assert list(select(Criteria(ids=(event.pk,)))) == [event]

    def test_a_receiver_and_its_outcome_are_one_condition(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert not select(Criteria(receiver="crm.sync", outcome="failed"))

    def test_by_time_received_including_the_start_and_not_the_end(self):
        oldest, *_, newest = select(Criteria())
        assert newest not in select(Criteria(until=newest.received_at))
        assert oldest in select(Criteria(since=oldest.received_at))
        assert not select(Criteria(since=timezone.now() + timedelta(hours=1)))

    def test_none_means_all(self):
        assert len(select(Criteria())) == 5
        assert Criteria().values() == {}


class TestSuperseded:
    """``unsuperseded`` leaves out what a newer event of the same record has followed."""

    @pytest.mark.parametrize(
        ("timestamps", "latest"),
        [
            (["12:00", "12:01"], [1]),
            (["12:01", "12:00"], [0]),
            (["12:00", "12:00"], [1]),
            (["12:00", "12:02", "12:01"], [1]),
        ],
    )
    def test_of_one_record_the_last_that_occurred_is_left(self, post, timestamps, latest):
        for minute in timestamps:
            post(body(PrimaryKey=7, Timestamp=f"2026-01-01T{minute}:00Z"))
        events = list(select(Criteria()))
        assert list(select(Criteria(unsuperseded=True))) == [events[index] for index in latest]
        assert [not event.is_superseded for event in events] == [
            event in select(Criteria(unsuperseded=True)) for event in events
        ]

    def test_records_of_other_tenants_entities_and_numbers_are_others(self, post):
        post(body(PrimaryKey=7))
        post(body(PrimaryKey=8))
        post(body("sale.changed", PrimaryKey=7))
        post(body(PrimaryKey=7, ContextIdentifier="Cust2"))
        assert select(Criteria(unsuperseded=True)).count() == 4

    def test_events_of_no_record_supersede_nothing(self, post):
        post(body(PrimaryKey=None))
        post(body(PrimaryKey=None))
        assert select(Criteria(unsuperseded=True)).count() == 2

    def test_the_newer_event_need_not_be_selected_itself(self, post):
        post(body("ticket.created", PrimaryKey=7))
        post(body("ticket.changed", PrimaryKey=7))
        assert not select(Criteria(name="ticket.created", unsuperseded=True))


class TestFrozen:
    """Frozen criteria select the same events, also after others have come in."""

    @pytest.mark.parametrize(("limit", "count"), [(None, 3), (2, 2), (9, 3)])
    def test_later_events_are_not_among_them(self, post, limit, count):
        for _ in range(3):
            post(body())
        criteria = Criteria(entity="ticket", limit=limit)
        before = list(select(criteria))
        asked = frozen(criteria)
        post(body())
        assert list(select(asked)) == before
        assert len(before) == count

    def test_nothing_stays_nothing(self, post):
        asked = frozen(Criteria())
        post(body())
        assert not select(asked)


WHOLE = Criteria(
    ids=(1, 2),
    event_ids=(UUID(int=3),),
    name="ticket.*",
    entity="ticket",
    primary_key=0,
    tenant="Cust1",
    changed=("priority", "x_æ"),
    changed_all=("title",),
    status="failed",
    receiver="a.b",
    outcome="failed",
    group=4,
    failing="a.c",
    due_before=datetime(2026, 5, 3, tzinfo=UTC),
    endpoint="default",
    webhook_name="CRM",
    is_own=True,
    problems=True,
    since=datetime(2026, 5, 1, 12, tzinfo=UTC),
    until=datetime(2026, 5, 2, tzinfo=timezone.get_fixed_timezone(-300)),
    unsuperseded=True,
    up_to=0,
    limit=10,
)


class TestJson:
    """What is kept with a replay can be read again, and nothing else is taken for criteria."""

    @pytest.mark.parametrize(
        "criteria", [Criteria(), WHOLE, Criteria(status=Event.Status.FAILED)], ids=str
    )
    def test_what_was_written_is_read_again(self, criteria):
        assert Criteria.from_json(json.loads(json.dumps(criteria.as_json()))) == criteria

    def test_every_criterion_is_kept(self):
        assert WHOLE.as_json().keys() == {field.name for field in fields(Criteria)}

    @pytest.mark.parametrize(
        "given",
        [
            None, [], "all", 1, {"color": "red"}, {"name": 1}, {"name": None}, {"ids": "1"},
            {"ids": ["1"]}, {"ids": [True]}, {"ids": [2**63]}, {"ids": [-1]}, {"up_to": 1.5},
            {"up_to": 2**63}, {"limit": "2"}, {"event_ids": ["x"]}, {"event_ids": [1]},
            {"since": "soon"}, {"since": 1}, {"since": "0001-01-01T00:00+01:00"},
            {"unsuperseded": 1}, {"changed": "priority"},
        ],
        ids=str,
    )  # fmt: skip
    def test_anything_else_is_an_error(self, given):
        with pytest.raises(ValueError, match=r"criteria|primary key|moment|UUID"):
            Criteria.from_json(given)

    @override_settings(USE_TZ=False)
    def test_without_use_tz_moments_are_naive(self):
        criteria = Criteria(until=datetime(2026, 5, 2))  # noqa: DTZ001
        assert Criteria.from_json(criteria.as_json()) == criteria

    def test_text_that_no_database_takes_finds_nothing(self, post):
        post(body())
        assert not select(Criteria.from_json({"name": "ticket\0", "tenant": "\ud800"}))


@pytest.mark.parametrize(
    ("model", "column", "name"),
    [
        *((Event, name, name) for name in ("entity", "tenant", "endpoint", "webhook_name")),
        *((ReceiverRun, "receiver", name) for name in ("receiver", "failing")),
        *((ChangedField, "name", name) for name in ("changed", "changed_all")),
    ],
)
def test_a_text_may_be_as_long_as_its_column_and_no_longer(model, column, name):
    length = model._meta.get_field(column).max_length
    kind = TABLE[name].kind
    assert kind.parse("x" * length) == "x" * length
    with pytest.raises(ValueError, match=f"at most {length} characters"):
        kind.parse("x" * (length + 1))


@pytest.mark.parametrize("name", ["ids", "group", "limit"])
def test_keys_and_numbers_of_events_begin_with_one(name):
    assert TABLE[name].kind.parse("1") == 1
    with pytest.raises(ValueError, match="above 0"):
        TABLE[name].kind.parse("0")
