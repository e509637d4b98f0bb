"""The figures: each counts what it says, within its time, in a bounded number of queries."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Dispatcher, Event, Redelivery, Rejection
from superoffice_hooks.models.dispatcher import GONE_AFTER_SECONDS
from superoffice_hooks.receiving import spool
from superoffice_hooks.reports import recent, standing
from superoffice_hooks.reports.recent import Field, Hour
from superoffice_hooks.reports.stages import OVERDUE_SECONDS, Stage, stage
from superoffice_hooks.reports.standing import Endpoint
from superoffice_hooks.reports.windows import Window
from superoffice_hooks.wire.notification import Delivery

from ..conftest import SECRET, body
from ..copies import copies

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
        assert hours[-1] < window.until <= timezone.now() < hours[-1] + HOUR + HOUR
        assert all(hour.minute == hour.second == hour.microsecond == 0 for hour in hours)

    @override_settings(USE_TZ=False)
    def test_it_has_every_hour_without_time_zones_too(self, event):
        event()
        hours = recent.events_by_hour(Window.latest())
        assert len(hours) == 48
        assert timezone.is_naive(hours[-1].start)
        assert recent.totals(hours) == {"skipped": 1}


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
        hours = recent.events_by_hour(window)
        assert len(hours) == 24
        assert [recent.totals([hour]).total() for hour in hours] == [2, 1, *[0] * 21, 1]

    def test_events_are_told_apart_by_what_became_of_them(self, event):
        window = day(2026, 1, 7)
        for status in ("failed", "failed", "succeeded", "pending"):
            event(received_at=window.since, status=status)
        event(received_at=window.since + HOUR, status="failed")
        hours = recent.events_by_hour(window)
        assert hours[0] == Hour(window.since, {"failed": 2, "pending": 1, "succeeded": 1})
        assert recent.totals(hours) == {"failed": 3, "pending": 1, "succeeded": 1}

    @pytest.mark.parametrize(("month", "number"), [(3, 29), (10, 25)])
    def test_no_hour_is_lost_or_doubled_where_clocks_are_changed(self, event, month, number):
        """In Oslo, clocks are changed at one o'clock UTC: to three, or back to two."""
        window = day(2026, month, number)
        for hour in (0, 1, 2):
            event(received_at=window.since + hour * HOUR + timedelta(minutes=30))
        hours = recent.events_by_hour(window)
        assert len({hour.start for hour in hours}) == 24
        assert [recent.totals([hour]).total() for hour in hours] == [1, 1, 1, *[0] * 21]


class TestEventsByName:
    def test_the_most_frequent_comes_first_with_how_many_failed(self, event):
        window = day(2026, 1, 7)
        event("sale.sold", window.since, "failed")
        event("contact.changed", window.since)
        event("ticket.changed", window.since, "failed")
        event("ticket.changed", window.since)
        event("ticket.changed", window.until)
        names = [("ticket.changed", 2, 1), ("contact.changed", 1, 0), ("sale.sold", 1, 1)]
        assert recent.events_by_name(window, 3) == names
        assert recent.events_by_name(window, 1) == names[:1]


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
        assert recent.changed_fields(window, 9) == fields
        assert recent.changed_fields(window, 1) == [Field("ticket", "title", 3)]

    def test_of_those_with_one_count_the_first_by_entity_and_name_come_first(self, event):
        window = day(2026, 1, 7)
        for number in range(9, 0, -1):
            event(f"y_{number}.changed", window.since, Changes=["b", "a"])
        fields = [(f"y_{number}", name, 1) for number in range(1, 10) for name in ("a", "b")]
        assert recent.changed_fields(window, 15) == fields[:15]

    def test_fields_are_looked_up_for_lists_and_not_for_events(
        self, event, django_assert_num_queries
    ):
        window = day(2026, 1, 7)
        for number in range(4):
            event("ticket.changed", window.since, Changes=["title", f"x_{number % 2}"])
        with django_assert_num_queries(2):
            fields = recent.changed_fields(window, 9)
        assert fields[0] == ("ticket", "title", 4)

    def test_rare_lists_are_left_out_where_there_are_too_many(self, event):
        window = day(2026, 1, 7)
        for changes in (["title"], ["title"], ["title", "priority"]):
            event("ticket.changed", window.since, Changes=changes)
        fields = recent.changed_fields(window, 9, max_lists=1)
        assert fields == [("ticket", "title", 2)]


class TestRejections:
    def test_reasons_are_counted(self, post):
        for secret in (None, "a guess", "another one"):
            post(b"{}", secret=secret)
        old = Rejection.objects.create(
            received_at=timezone.now() - 50 * HOUR, reason="old", verified=True, body=b""
        )
        rejections = recent.rejections(Window.latest())
        last = Rejection.objects.exclude(pk=old.pk).latest("pk").received_at
        assert [found[:2] for found in rejections] == [
            ("signature wrong", 2),
            ("signature missing", 1),
        ]
        assert rejections[0].last == last

    def test_no_more_than_the_newest_are_read(self, post):
        for secret in (None, "a guess", "another one"):
            post(b"{}", secret=secret)
        read = recent.rejections(Window.latest(), limit=2)
        assert [found[:2] for found in read] == [("signature wrong", 2)]


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
        pending = standing.pending()
        assert pending.events == 3
        assert pending.oldest.primary_key == 1

    def test_nothing_is_no_error(self):
        assert standing.pending() == (0, None)

    def test_of_too_many_only_those_that_are_due_first_are_read(self, event):
        window = day(2026, 1, 7)
        for number, due in enumerate((9, 2, 1)):
            stored = event(received_at=window.since + number * HOUR, status="pending")
            stored.next_attempt_at = window.since + due * HOUR
            stored.save()
        copies(Event.objects.latest("pk"), 998)
        pending = standing.pending()
        assert pending.events == 1000
        assert pending.oldest.received_at == window.since + HOUR


class TestStage:
    """Where an unfinished event is, told from its columns."""

    NOW = datetime(2026, 1, 7, tzinfo=UTC)
    BEGUN: ClassVar = {"claim": 7, "begun_at": NOW, "attempts": 1}

    @pytest.mark.parametrize(
        ("due_in", "columns", "expected"),
        [
            (0, {}, Stage.QUEUED),
            (60, {}, Stage.QUEUED),
            (60, {"claim": 7}, Stage.QUEUED),
            (60, {"claim": 7, "attempts": 1}, Stage.QUEUED),
            (60, {"attempts": 1}, Stage.RETRY),
            (0, {"attempts": 1}, Stage.QUEUED),
            (60, BEGUN, Stage.RUNNING),
            # The claim has ended: its process is gone, or has been told so.
            (0, BEGUN, Stage.QUEUED),
            (-OVERDUE_SECONDS, {}, Stage.QUEUED),
            (-OVERDUE_SECONDS - 1, {}, Stage.OVERDUE),
            (-OVERDUE_SECONDS - 1, BEGUN, Stage.OVERDUE),
        ],
    )
    def test_it_follows_from_when_it_is_due_and_who_has_it(self, due_in, columns, expected):
        event = Event(next_attempt_at=self.NOW + timedelta(seconds=due_in), **columns)
        assert stage(event, self.NOW) is expected

    def test_a_finished_event_has_none(self):
        assert stage(Event(status="succeeded")) is None

    def test_one_that_a_receiver_is_called_for_is_running(self, post, connect):
        stages = []
        connect(signals.any_event, lambda event, **kw: stages.append(stage(Event.objects.get())))
        post(body())
        assert stages == [Stage.RUNNING]
        assert stage(Event.objects.get()) is None

    def test_one_whose_receiver_failed_is_to_be_retried(self, post, connect, settings):
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 2}
        connect(signals.any_event, raises)
        post(body())
        assert stage(Event.objects.get()) is Stage.RETRY


def raises(**kwargs):
    """A receiver that makes the same mistake each time."""
    raise ValueError("no such ticket")


class TestDispatching:
    """Whether what is due is dispatched, and what is wrong if it is not."""

    def waits(self, event, seconds: float) -> None:
        stored = event(status="pending")
        due_at = timezone.now() - timedelta(seconds=seconds)
        Event.objects.filter(pk=stored.pk).update(next_attempt_at=due_at)

    def test_only_what_is_due_counts_and_the_longest_due_says_for_how_long(self, event, dispatcher):
        for seconds in (10, 200, -100):
            self.waits(event, seconds)
        found = standing.dispatching()
        assert found.due == 2
        assert 200 <= found.oldest_due < 230
        assert [one.pk for one in found.dispatchers] == [dispatcher.pk]
        assert standing.dispatching_problems() == []

    def test_something_due_for_too_long_is_a_problem(self, event, dispatcher):
        self.waits(event, OVERDUE_SECONDS + 1)
        (problem,) = standing.dispatching_problems()
        assert problem.startswith("1 event is due, the oldest for 30")
        assert standing.dispatching_problems(max_age=1000) == []

    def test_one_that_has_been_silent_too_long_is_gone(self, event, dispatcher):
        self.waits(event, 10)
        last = timezone.now() - timedelta(seconds=GONE_AFTER_SECONDS + 2)
        Dispatcher.objects.update(seen_at=last)
        found = standing.dispatching()
        assert found.dispatchers == []
        assert found.last_seen == last
        (problem,) = standing.dispatching_problems()
        assert problem.startswith("No dispatcher has been seen since 20")

    def test_lanes_that_hang_are_a_problem(self, dispatcher):
        dispatcher.hung = 1
        dispatcher.note_seen()
        (problem,) = standing.dispatching_problems()
        assert problem.startswith(f"{dispatcher} has 1 of 4 lanes in a call")

    def test_what_waits_or_is_stuck_in_the_spool_is_a_problem(self, dispatcher, tmp_path):
        delivery = Delivery(
            endpoint="default",
            body=body(),
            headers={},
            remote_addr=None,
            received_at=timezone.now(),
            signed=True,
        )
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "SPOOL_DIR": tmp_path}):
            spool.put(delivery)
            assert standing.dispatching_problems() == []
            (waiting,) = standing.dispatching_problems(max_age=-1)
            assert waiting.startswith("1 in the spool of this machine, the oldest for 0 seconds")
            (name,) = spool.waiting()
            spool.set_aside(name, "damaged")
            (aside,) = standing.dispatching_problems()
            assert aside.startswith("1 set aside in the spool")


class TestStandings:
    def test_every_status_is_counted(self, event):
        for status in ("failed", "failed", "succeeded"):
            event(status=status)
        counts = {standing.status: standing.events for standing in standing.standings()}
        assert list(counts) == Event.Status.values
        assert {status: n for status, n in counts.items() if n} == {"failed": 2, "succeeded": 1}

    def test_no_more_than_so_many_are_counted(self, event):
        for _ in range(3):
            event(status="failed")
        assert ("failed", 2) in standing.standings(max_counted=2)


class TestEndpoints:
    def test_one_that_never_heard_of_superoffice_is_there_too(self):
        secrets = {"default": [SECRET], "sales": [SECRET]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
            assert standing.endpoints() == [("default", None, None), ("sales", None, None)]

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
            assert standing.endpoints() == [
                ("desk", tests["desk"], tests["desk"]),
                ("sales", Event.objects.latest("pk").received_at, tests["sales"]),
            ]

    def test_a_redelivery_is_a_delivery_and_may_be_a_test(self, post):
        sent = body("test")
        for _ in range(2):
            assert post(sent).status_code == 200
        again = Redelivery.objects.get().received_at
        assert again > Event.objects.get().received_at
        assert standing.endpoints() == [Endpoint("default", again, again)]

    def test_one_that_the_settings_no_longer_name_is_found_by_its_events(self, event):
        stored = event()
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": "tests.nowhere.secrets_of"}):
            assert standing.endpoints() == [("default", stored.received_at, None)]

    def test_more_events_take_no_more_queries(self, event):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                standing.endpoints()
            return len(captured)

        event()
        few = queries()
        for _ in range(5):
            event()
        assert queries() == few == 4
