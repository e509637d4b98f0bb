"""The rows: what they answer, and how few statements it takes."""

import itertools
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.models import Count, Sum
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import ChangedField, ChangeSet, Event, Redelivery, Rejection
from superoffice_hooks.models.times import as_project

from ..conftest import SECRET, Poster, body, documented

pytestmark = pytest.mark.django_db


class TestChanges:
    """The list as sent, and each distinct list stored once."""

    def test_changes_are_as_sent(self, post):
        post(body(Changes=["Priority", "ticket_status", "priority", " x "]))
        assert Event.objects.get().changes == ("Priority", "ticket_status", "priority", " x ")

    def test_an_empty_list_has_no_change_set_because_empty_means_unknown(self, post):
        post(documented("seed-ticket.created"))
        assert Event.objects.get().change_set is None

    def test_the_same_list_is_stored_once_whatever_its_order_and_case(self, post):
        for changes in (["a", "b"], ["B", "A"], ["b", "a", "b"]):
            post(body(Changes=changes))
        assert Event.objects.count() == 3
        assert ChangeSet.objects.count() == 1
        assert list(ChangedField.objects.order_by("name").values_list("entity", "name")) == [
            ("ticket", "a"),
            ("ticket", "b"),
        ]

    def test_another_entitys_list_is_another(self, post):
        post(body("ticket.changed", Changes=["status"]))
        post(body("sale.changed", Changes=["status"]))
        assert ChangeSet.objects.count() == 2
        assert Event.objects.changed("status").count() == 2
        assert Event.objects.changed("status", entity="Sale").get().name == "sale.changed"

    def test_a_known_list_costs_one_query(self, django_assert_num_queries):
        names = [f"x_{number}" for number in range(47)]
        first = ChangeSet.objects.for_names("ticket", names)
        with django_assert_num_queries(1):
            assert ChangeSet.objects.for_names("ticket", names) == first

    def test_a_new_list_of_known_fields_does_not_repeat_them(self):
        ChangeSet.objects.for_names("ticket", ["a", "b"])
        ChangeSet.objects.for_names("ticket", ["b", "c"])
        assert ChangedField.objects.count() == 3

    @pytest.mark.parametrize("names", [[], [""], ["  "]])
    def test_no_names_no_set(self, names):
        assert ChangeSet.objects.for_names("ticket", names) is None

    def test_names_longer_than_any_column_are_cut(self):
        ChangeSet.objects.for_names("ticket", ["x" * 1000])
        assert ChangedField.objects.get().name == "x" * 128

    def test_finding_events_by_changed_field(self, post):
        post(documented("seed-ticket.created"))
        post(documented("seed-ticket.changed"))
        assert Event.objects.changed("PRIORITY").get().name == "ticket.changed"
        assert Event.objects.changed("priority", "nonsense").count() == 1
        assert not Event.objects.changed("nonsense").exists()


class TestRecords:
    """A SuperOffice record is tenant, entity and primary key."""

    def test_events_of_a_record_newest_first(self, post):
        post(documented("seed-ticket.created"))
        post(documented("seed-ticket.changed"))
        post(documented("quote-events-01-quote.approved"))
        events = Event.objects.for_record("ticket", 527331)
        assert [event.name for event in events] == ["ticket.changed", "ticket.created"]

    def test_the_same_number_in_another_tenant_is_another_record(self, post):
        post(body(ContextIdentifier="Cust1"))
        post(body(ContextIdentifier="Cust2"))
        assert Event.objects.for_record("Ticket", 527331).count() == 2
        assert Event.objects.for_record("ticket", 527331, tenant="Cust1").get().tenant == "Cust1"


class TestOccurredAt:
    """Stored as the project's USE_TZ wants it."""

    aware = datetime(2018, 7, 24, 8, 13, 2, tzinfo=UTC)
    naive = datetime(2018, 7, 24, 10, 13, 2)  # noqa: DTZ001  (Europe/Oslo, in summer)

    @pytest.mark.parametrize("moment", [aware, naive])
    def test_aware_with_use_tz(self, moment):
        assert as_project(moment, timezone.get_default_timezone()) == self.aware

    @pytest.mark.parametrize("moment", [aware, naive])
    def test_naive_without(self, moment):
        with override_settings(USE_TZ=False):
            assert as_project(moment, timezone.get_default_timezone()) == self.naive


class TestRejections:
    """Anybody can cause them, so what nobody vouches for is bounded."""

    @pytest.fixture
    def limits(self, monkeypatch):
        """``limits(MAX_UNVERIFIED=10)`` until the test ends."""

        def set_to(**values):
            for name, value in values.items():
                monkeypatch.setattr(type(Rejection.objects), name, value)
            monkeypatch.setattr(type(Rejection.objects), "_refused", itertools.count())

        return set_to

    @staticmethod
    def flood(post, number, address="192.0.2.1", **options):
        post.client.defaults["REMOTE_ADDR"] = address
        for _ in range(number):
            assert post(body(), **options).status_code == 401
        post.client.defaults["REMOTE_ADDR"] = "127.0.0.1"

    def test_unverified_ones_are_kept_up_to_a_bound(self, post, limits):
        limits(MAX_UNVERIFIED=10, TRIM_EVERY=5)
        for address in range(25):
            self.flood(post, 1, f"192.0.2.{address}", secret="wrong")
        assert 10 <= Rejection.objects.count() < 10 + 5
        newest = Rejection.objects.order_by("-pk").values_list("remote_addr", flat=True)
        assert newest[0] == "192.0.2.24"

    def test_verified_ones_are_never_pushed_out(self, post, limits):
        limits(MAX_UNVERIFIED=2, TRIM_EVERY=1)
        post(b"signed but unreadable")
        self.flood(post, 5, secret="wrong")
        assert Rejection.objects.filter(verified=True).count() == 1
        assert Rejection.objects.filter(verified=False).count() == 2

    @pytest.mark.parametrize("flooding", [None, "wrong"], ids=["unsigned", "wrongly signed"])
    def test_a_flood_from_one_address_leaves_those_of_another(self, post, limits, flooding):
        limits(MAX_UNVERIFIED=20, MAX_OF_ONE_SOURCE=10, TRIM_EVERY=5)
        self.flood(post, 3, "203.0.113.5", secret="the secret of yesterday")
        self.flood(post, 60, secret=flooding)
        assert Rejection.objects.filter(remote_addr="203.0.113.5").count() == 3
        assert 10 <= Rejection.objects.filter(remote_addr="192.0.2.1").count() < 10 + 5

    def test_a_flood_of_one_reason_leaves_those_of_another_behind_one_proxy(self, post, limits):
        limits(MAX_UNVERIFIED=20, MAX_OF_ONE_SOURCE=10, TRIM_EVERY=5)
        self.flood(post, 3, secret="the secret of yesterday")
        self.flood(post, 60, secret=None)
        assert Rejection.objects.filter(reason="signature wrong").count() == 3

    def test_most_of_them_cost_one_insert(self, post, limits, django_assert_num_queries):
        limits(TRIM_EVERY=50)
        post(body(), secret="wrong")
        with django_assert_num_queries(49) as queries:
            self.flood(post, 49, secret="wrong")
        assert all(query["sql"].startswith("INSERT INTO") for query in queries)

    def test_trimming_deletes_any_number(self, limits):
        limits(MAX_UNVERIFIED=7)
        Rejection.objects.bulk_create(
            Rejection(received_at=timezone.now(), reason=f"{n}", body=b"", verified=False)
            for n in range(1600)
        )
        Rejection.objects.trim()
        assert list(Rejection.objects.values_list("reason", flat=True)) == [
            f"{n}" for n in range(1599, 1592, -1)
        ]


class TestRedeliveries:
    """Whoever has a signed body can send it again and again."""

    def test_the_first_and_the_newest_are_kept_and_the_others_counted(self, post):
        sent = body()
        post(sent)
        keys = []
        for _ in range(50):
            assert post(sent).status_code == 200
            keys.append(Redelivery.objects.latest("pk").pk)
        kept = list(Redelivery.objects.order_by("pk"))
        assert [row.pk for row in kept] == [keys[0], *keys[-19:]]
        assert [row.omitted for row in kept] == [30, *[0] * 19]

    def test_those_of_other_events_are_left_alone(self, post):
        bodies = [body() for _ in range(2)]
        for sent in bodies * 22:
            post(sent)
        for event in Event.objects.all():
            assert [row.omitted for row in event.redeliveries.all()] == [1, *[0] * 19]

    @pytest.mark.django_db(transaction=True)
    def test_many_processes_at_once_lose_count_of_none(self):
        sent = body()
        Poster()(sent)

        def deliver():
            try:
                answers.extend(Poster()(sent).status_code for _ in range(8))
            finally:
                connections.close_all()

        answers: list[int] = []
        threads = [threading.Thread(target=deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert answers == [200] * 32
        kept = Redelivery.objects.aggregate(rows=Count("pk"), omitted=Sum("omitted"))
        assert kept["rows"] <= 20
        assert kept["rows"] + kept["omitted"] == 32


class TestMaxAge:
    """With MAX_AGE_SECONDS, a body that was captured long ago calls nobody."""

    HOUR = override_settings(
        SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_AGE_SECONDS": 3600, "MAX_ATTEMPTS": 1}
    )

    @staticmethod
    def sent(**ago) -> bytes:
        return body(Timestamp=(datetime.now(UTC) - timedelta(**ago)).isoformat())

    def test_an_old_one_is_stored_and_skipped_and_says_why(self, post, connect):
        connect(signals.any_event, lambda event, **kwargs: called.append(event.pk))
        called: list[int] = []
        with self.HOUR:
            assert post(self.sent(minutes=61)).status_code == 200
            assert post(self.sent(minutes=59)).status_code == 200
        old, new = Event.objects.order_by("pk")
        assert (old.status, new.status) == ("skipped", "succeeded")
        assert (old.attempts, old.next_attempt_at, old.finished_at) == (0, None, old.received_at)
        assert "MAX_AGE_SECONDS" in old.problems[-1]
        assert called == [new.pk]

    @pytest.mark.usefixtures("one_attempt")
    def test_a_captured_body_does_not_run_a_failed_event_again(self, post, connect):
        def fails(event, **kwargs):
            calls.append(event.pk)
            raise ValueError

        connect(signals.any_event, fails)
        calls: list[int] = []
        sent = self.sent(minutes=61)
        post(sent)
        with self.HOUR:
            post(sent)
            assert len(calls) == 1
        post(sent)
        assert len(calls) == 2

    @pytest.mark.parametrize("timestamp", [None, "yesterday", "0001-01-01T00:00:00Z"])
    def test_one_that_does_not_say_when_it_occurred_is_dispatched(self, post, timestamp):
        with self.HOUR:
            post(body(Timestamp=timestamp))
        assert not any("MAX_AGE" in problem for problem in Event.objects.get().problems)

    def test_off_is_the_default(self, post):
        post(body(Timestamp="2019-01-01T00:00:00Z"))
        assert not any("MAX_AGE" in problem for problem in Event.objects.get().problems)


@pytest.mark.parametrize(
    "guid",
    [
        "eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3",  # of no version, and the oldest variant
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "1FC5752A-6DE8-412D-847A-12D5529A0EC6",
    ],
)
def test_any_guid_is_kept_as_it_is(post, guid):
    for _ in range(2):
        assert post(body(EventId=guid)).status_code == 200
    event = Event.objects.get(event_id=guid)
    assert event.event_id == UUID(guid)
    assert event.redeliveries.count() == 1
    assert list(Event.objects.filter(event_id__in=[guid])) == [event]


def test_every_row_can_be_named(post, connect):
    from superoffice_hooks.models import ReceiverRun, Replay

    connect(signals.any_event, lambda **kwargs: None)
    sent = documented("seed-ticket.changed")
    post(sent)
    post(sent)
    post(b"signed but unreadable")
    event_id = "1fc5752a-6de8-412d-847a-12d5529a0ec6"
    assert str(Event.objects.get()) == f"ticket.changed {event_id}"
    assert str(Redelivery.objects.get()).startswith(f"ticket.changed {event_id} again at 2")
    assert str(Rejection.objects.get()).startswith("The body is not JSON")
    assert str(ReceiverRun.objects.get()).endswith(" succeeded")
    assert str(ChangedField.objects.order_by("name").first()) == "ticket.activate"
    assert len(str(ChangeSet.objects.get())) == 16
    assert str(Replay.objects.create(who="anna")).endswith(" by anna")
    post(b"{}")
    assert str(Event.objects.first()).startswith("(no name) ")


@pytest.mark.parametrize("use_tz", [True, False])
def test_rows_are_named_by_the_time_of_the_project(use_tz):
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC if use_tz else None)
    shown = "2026-01-01 13:00:00" if use_tz else "2026-01-01 12:00:00"
    with override_settings(USE_TZ=use_tz):
        event = Event(name="a.b")
        assert str(Rejection(reason="x", received_at=moment)) == f"x at {shown}"
        assert str(Redelivery(event=event, received_at=moment)).endswith(f" again at {shown}")


def test_events_received_between(post):
    post(body())
    received_at = Event.objects.get().received_at
    assert Event.objects.received_between(received_at, None).exists()
    assert not Event.objects.received_between(None, received_at).exists()
    assert Event.objects.received_between(None, received_at + timedelta(seconds=1)).exists()


def test_migrations_are_complete():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
