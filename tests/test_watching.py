"""The figures: each counts what it says, within its time, in a bounded number of queries."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals, watching
from superoffice_hooks.exceptions import GiveUp, RetryLater
from superoffice_hooks.models import Event, ReceiverRun, Redelivery, Rejection
from superoffice_hooks.watching import Endpoint, Field, Window, lately, now

from .conftest import SECRET, body

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def event(post):
    """``event(name, received_at, **values)`` is delivered and stored, as if at that time."""

    def event(name="ticket.changed", received_at=None, status=None, **values) -> Event:
        assert post(body(name, **values)).status_code == 200
        stored = Event.objects.latest("pk")
        stored.received_at = received_at or stored.received_at
        stored.status = status or stored.status
        stored.save()
        return stored

    return event


def day(year: int, month: int, number: int) -> Window:
    """A day in UTC."""
    since = datetime(year, month, number, tzinfo=UTC)
    return Window(since, since + 24 * HOUR)


class TestWindow:
    def test_it_has_every_hour_and_ends_with_the_present_one(self):
        window = Window.latest()
        hours = list(window.hours())
        assert len(hours) == 48
        assert hours[0] == window.since
        assert hours[-1] <= timezone.now() < window.until == hours[-1] + HOUR
        assert all(hour.minute == hour.second == hour.microsecond == 0 for hour in hours)

    @override_settings(USE_TZ=False)
    def test_it_has_every_hour_without_time_zones_too(self, event):
        event()
        hours = watching.events_by_hour(Window.latest())
        assert len(hours) == 48
        assert timezone.is_naive(hours[-1].start)
        assert watching.totals(hours) == {"skipped": 1}


class TestEventsByHour:
    def test_an_event_on_the_border_belongs_to_the_hour_that_begins(self, event):
        window = day(2026, 1, 7)
        moment = timedelta(microseconds=1)
        for at in (
            window.since - moment,
            window.since,
            window.since + HOUR - moment,
            window.since + HOUR,
            window.until - moment,
            window.until,
        ):
            event(received_at=at)
        hours = watching.events_by_hour(window)
        assert len(hours) == 24
        assert [watching.totals([hour]).total() for hour in hours] == [2, 1, *[0] * 21, 1]

    def test_events_are_told_apart_by_what_became_of_them(self, event):
        window = day(2026, 1, 7)
        for status in ("failed", "failed", "succeeded", "running"):
            event(received_at=window.since, status=status)
        event(received_at=window.since + HOUR, status="failed")
        hours = watching.events_by_hour(window)
        assert hours[0] == (window.since, {"failed": 2, "running": 1, "succeeded": 1})
        assert watching.totals(hours) == {"failed": 3, "running": 1, "succeeded": 1}

    @pytest.mark.parametrize(("month", "number"), [(3, 29), (10, 25)])
    def test_no_hour_is_lost_or_doubled_where_clocks_are_changed(self, event, month, number):
        """In Oslo, clocks are changed at one o'clock UTC: to three, or back to two."""
        window = day(2026, month, number)
        for hour in (0, 1, 2):
            event(received_at=window.since + hour * HOUR + timedelta(minutes=30))
        hours = watching.events_by_hour(window)
        assert len({hour.start for hour in hours}) == 24
        assert [watching.totals([hour]).total() for hour in hours] == [1, 1, 1, *[0] * 21]


class TestEventsByName:
    def test_the_most_frequent_comes_first_with_how_many_failed(self, event):
        window = day(2026, 1, 7)
        event("sale.sold", window.since, "failed")
        event("contact.changed", window.since)
        event("ticket.changed", window.since, "failed")
        event("ticket.changed", window.since)
        event("ticket.changed", window.until)
        names = [("ticket.changed", 2, 1), ("contact.changed", 1, 0), ("sale.sold", 1, 1)]
        assert watching.events_by_name(window, 3) == names
        assert watching.events_by_name(window, 1) == names[:1]


class TestChangedFields:
    def test_every_event_counts_for_each_field_of_its_list(self, event):
        window = day(2026, 1, 7)
        event("ticket.changed", window.since, Changes=["Priority", "title"])
        event("ticket.changed", window.since, Changes=["TITLE", "priority"])
        event("ticket.changed", window.since, Changes=["title", "title"])
        event("sale.changed", window.since, Changes=["title"])
        event("sale.changed", window.since, Changes=[])
        event("ticket.changed", window.until, Changes=["slevel"])
        fields = [("ticket", "title", 3), ("ticket", "priority", 2), ("sale", "title", 1)]
        assert watching.changed_fields(window, 9) == fields
        assert watching.changed_fields(window, 1) == [Field("ticket", "title", 3)]

    def test_fields_are_looked_up_for_lists_and_not_for_events(
        self, event, django_assert_num_queries
    ):
        window = day(2026, 1, 7)
        for number in range(4):
            event("ticket.changed", window.since, Changes=["title", f"x_{number % 2}"])
        with django_assert_num_queries(2):
            fields = watching.changed_fields(window, 9)
        assert fields[0] == ("ticket", "title", 4)

    def test_rare_lists_are_left_out_where_there_are_too_many(self, event, monkeypatch):
        monkeypatch.setattr(lately, "MOST_LISTS", 1)
        window = day(2026, 1, 7)
        for changes in (["title"], ["title"], ["title", "priority"]):
            event("ticket.changed", window.since, Changes=changes)
        assert watching.changed_fields(window, 9) == [("ticket", "title", 2)]


class TestFailures:
    def test_calls_that_failed_or_gave_up_count_and_postponed_ones_do_not(self, event, connect):
        errors = iter([ValueError("once"), GiveUp("twice"), RetryLater(60), None])

        def unlucky(**kwargs):
            if error := next(errors):
                raise error

        connect(signals.ticket_changed, unlucky)
        for _ in range(4):
            event()
        assert set(ReceiverRun.objects.values_list("outcome", flat=True)) == set(
            ReceiverRun.Outcome
        )
        (failures,) = watching.failures(Window.latest())
        assert failures.receiver.endswith("unlucky")
        last = ReceiverRun.objects.get(outcome="gave_up").started_at
        assert failures[1:] == (2, 2, last)

    def test_calls_and_events_are_counted_apart_and_long_ago_is_over(self, event):
        window = day(2026, 1, 7)
        for receiver, started_at in (
            ("app.one", window.since),
            ("app.two", window.since),
            ("app.two", window.since + HOUR),
            ("app.two", window.until),
            ("app.old", window.since - HOUR),
        ):
            stored = Event.objects.first() or event()
            stored.runs.create(
                receiver=receiver, attempt=1, outcome="failed", started_at=started_at
            )
        assert watching.failures(window) == [
            ("app.two", 2, 1, window.since + HOUR),
            ("app.one", 1, 1, window.since),
        ]


class TestRejections:
    def test_reasons_are_counted(self, post):
        for secret in (None, "a guess", "another one"):
            post(b"{}", secret=secret)
        old = Rejection.objects.create(
            received_at=timezone.now() - 50 * HOUR, reason="old", verified=True, body=b""
        )
        rejections = watching.rejections(Window.latest())
        last = Rejection.objects.exclude(pk=old.pk).latest("pk").received_at
        assert [found[:2] for found in rejections] == [
            ("signature wrong", 2),
            ("signature missing", 1),
        ]
        assert rejections[0].last == last

    def test_no_more_than_the_newest_are_read(self, post, monkeypatch):
        monkeypatch.setattr(lately, "MOST_REJECTIONS", 2)
        for secret in (None, "a guess", "another one"):
            post(b"{}", secret=secret)
        assert [found[:2] for found in watching.rejections(Window.latest())] == [
            ("signature wrong", 2)
        ]


class TestPending:
    def test_the_oldest_is_the_one_received_first_whenever_it_is_due(self, event):
        window = day(2026, 1, 7)
        for received, due in ((2, 2), (1, 5), (3, 3)):
            event(
                received_at=window.since + received * HOUR,
                status="pending",
                PrimaryKey=received,
            )
            Event.objects.filter(primary_key=received).update(
                next_attempt_at=window.since + due * HOUR
            )
        event(received_at=window.since, status="failed")
        pending = watching.pending()
        assert pending.events == 3
        assert pending.oldest.primary_key == 1

    def test_nothing_is_no_error(self):
        assert watching.pending() == (0, None)

    def test_of_too_many_only_those_that_are_due_first_are_read(self, event, monkeypatch):
        monkeypatch.setattr(now, "MOST_PENDING", 2)
        window = day(2026, 1, 7)
        for number, due in enumerate((9, 2, 1)):
            stored = event(received_at=window.since + number * HOUR, status="pending")
            stored.next_attempt_at = window.since + due * HOUR
            stored.save()
        pending = watching.pending()
        assert pending.events == 2
        assert pending.oldest.received_at == window.since + HOUR


class TestStandings:
    def test_every_status_is_counted(self, event):
        for status in ("failed", "failed", "succeeded"):
            event(status=status)
        counts = {standing.status: standing.events for standing in watching.standings()}
        assert list(counts) == Event.Status.values
        assert {status: n for status, n in counts.items() if n} == {"failed": 2, "succeeded": 1}

    def test_no_more_than_so_many_are_counted(self, event, monkeypatch):
        monkeypatch.setattr(now, "MOST_STANDING", 2)
        for _ in range(3):
            event(status="failed")
        assert ("failed", 2) in watching.standings()


class TestEndpoints:
    def test_one_that_never_heard_of_superoffice_is_there_too(self):
        secrets = {"default": [SECRET], "sales": [SECRET]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
            assert watching.endpoints() == [("default", None, None), ("sales", None, None)]

    def test_each_has_its_last_delivery_and_its_last_test(self, post):
        secrets = {"sales": [SECRET], "desk": [SECRET]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets, "MAX_ATTEMPTS": 1}):
            for endpoint, name in (
                ("desk", "test"),
                ("sales", "test"),
                ("sales", "sale.sold"),
                ("sales", "sale.sold"),
            ):
                url = f"/superoffice/webhook/{endpoint}/"
                assert post(body(name), url=url).status_code == 200
            tests = dict(Event.objects.filter(name="test").values_list("endpoint", "received_at"))
            assert watching.endpoints() == [
                ("desk", tests["desk"], tests["desk"]),
                ("sales", Event.objects.latest("pk").received_at, tests["sales"]),
            ]

    def test_a_redelivery_is_a_delivery_and_may_be_a_test(self, post):
        sent = body("test")
        for _ in range(2):
            assert post(sent).status_code == 200
        again = Redelivery.objects.get().received_at
        assert again > Event.objects.get().received_at
        assert watching.endpoints() == [Endpoint("default", again, again)]

    def test_one_that_the_settings_no_longer_name_is_found_by_its_events(self, event):
        stored = event()
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": "tests.nowhere.secrets_of"}):
            assert watching.endpoints() == [("default", stored.received_at, None)]

    def test_more_events_take_no_more_queries(self, event):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                watching.endpoints()
            return len(captured)

        event()
        few = queries()
        for _ in range(5):
            event()
        assert queries() == few == 4
