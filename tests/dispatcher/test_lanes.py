"""Lanes: threads of a process call the receivers, so that neither requests nor others wait."""

import threading
import time
from datetime import datetime

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import dispatcher, signals
from superoffice_hooks.dispatcher import Keeper, Lane, Lanes, process
from superoffice_hooks.dispatcher.gate import Gate, Pause
from superoffice_hooks.dispatching import watching
from superoffice_hooks.dispatching.attempts import Attempt
from superoffice_hooks.dispatching.watching import Calling
from superoffice_hooks.models import Dispatcher, Event, queue, steps
from superoffice_hooks.models.claiming import take
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.wire.signature import sign

from ..conftest import SECRET, URL, body, documented
from ..tracing import CAN_TRACE, traced

SECONDS = 20
"""A bound for what takes milliseconds."""


def hooks(**settings) -> override_settings:
    return override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], **settings})


def wait_until(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def running():
    """``running(lanes=2)`` is a dispatcher of this process, stopped as the test ends."""
    started: list[tuple[Lanes, Keeper]] = []

    def start(count: int = 2, **options) -> Lanes:
        these = Lanes(Dispatcher.Kind.COMMAND, count, longest_pause=0.05, **options)
        keeper = Keeper(these)
        these.start()
        keeper.start()
        started.append((these, keeper))
        return these

    yield start
    for these, keeper in started:
        these.stop(SECONDS)
        keeper.stop()
        assert not any(lane.thread.is_alive() for lane in these.lanes)


class TestInTheWebProcess:
    """DISPATCH = "in_process", as shipped."""

    @pytest.mark.django_db(transaction=True)
    def test_the_answer_waits_for_no_receiver(self, post, connect, client):
        answered = threading.Event()
        called_in: list[threading.Thread] = []

        def waits(**kwargs):
            assert answered.wait(SECONDS)
            called_in.append(threading.current_thread())

        connect(signals.ticket_changed, waits)
        sent = body()
        with hooks():
            headers = {"X-SuperOffice-Signature": sign(sent, SECRET)}
            answer = client.post(URL, sent, content_type="application/json", headers=headers)
            assert answer.status_code == 200
            answered.set()
            assert dispatcher.wait_until_idle(SECONDS)
        assert called_in != [threading.current_thread()]
        assert Event.objects.get().status == "succeeded"

    @pytest.mark.django_db(transaction=True)
    def test_nothing_is_left_open_once_nothing_is_due(self, post, connect):
        connect(signals.ticket_changed, lambda **kwargs: None)
        with hooks():
            post(body())
        # A lane ends on its own, once it has nothing to do.
        for thread in threading.enumerate():
            if thread.name == "superoffice_hooks lane":
                thread.join(SECONDS)
        names = [thread.name for thread in threading.enumerate()]
        # The thread that watches over connections that hang has none of its own.
        ours = [name for name in names if name.startswith("superoffice_hooks")]
        assert set(ours) <= {"superoffice_hooks deadlines"}

    @pytest.mark.django_db
    @pytest.mark.parametrize("settings", [{}, {"LANES": 0}])
    def test_in_a_test_case_receivers_are_called_at_once_in_its_own_thread(
        self, post, connect, settings
    ):
        threads = []
        connect(signals.ticket_changed, lambda **kwargs: threads.append(threading.current_thread()))
        with hooks(**settings):
            post(body())
        assert threads == [threading.current_thread()]

    @pytest.mark.django_db(transaction=True)
    def test_without_lanes_the_thread_that_answers_calls_them(self, post, connect):
        threads = []
        connect(signals.ticket_changed, lambda **kwargs: threads.append(threading.current_thread()))
        with hooks(LANES=0):
            post(body())
        assert threads == [threading.current_thread()]

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor not in CAN_TRACE, reason="nothing shows what is sent")
    def test_without_lanes_an_event_is_stored_as_begun_and_never_claimed(self, post, connect):
        connect(signals.ticket_changed, lambda **kwargs: None)
        with hooks(LANES=0):
            post(body())
            with traced(connection) as trace:
                post(body())
        verbs = [statement.split()[0] for statement in trace.statements]
        # The first UPDATE takes the lock of SQLite. The other one concludes the attempt, and
        # PostgreSQL gets the INSERT of the run in the same text.
        expected = {
            "sqlite": ["INSERT", "BEGIN", "UPDATE", "UPDATE", "INSERT", "COMMIT"],
            "postgresql": ["INSERT", "BEGIN", "UPDATE", "COMMIT"],
        }
        assert verbs == expected[connection.vendor]

    @pytest.mark.django_db(transaction=True)
    def test_without_lanes_an_event_is_stored_as_one_that_is_tried_alone(self, post, connect):
        """A receiver that ends its process is as guilty as in any other attempt."""
        seen = []

        def look(event, **kwargs):
            seen.append((Event.objects.get().alone, type(event.begun_at), event.next_attempt_at))

        connect(signals.ticket_changed, look)
        with hooks(LANES=0):
            post(body())
        ((is_alone, kind, claimed_until),) = seen
        assert is_alone
        assert kind is datetime
        assert claimed_until > timezone.now()

    @pytest.mark.django_db(transaction=True)
    def test_inside_a_transaction_of_the_project_they_wait_for_its_commit(self, post, connect):
        called = []
        connect(signals.ticket_changed, lambda event, **kwargs: called.append(event.pk))
        with hooks(DISPATCH="worker"):
            post(body())
        from django.db import transaction

        with hooks():
            with transaction.atomic():
                dispatcher.hand_over(Event.objects.get())
                assert dispatcher.wait_until_idle(SECONDS)
                assert called == []
            assert dispatcher.wait_until_idle(SECONDS)
        assert len(called) == 1


@pytest.mark.django_db(transaction=True)
class TestLanes:
    """Several threads share what is claimed."""

    @pytest.fixture(autouse=True)
    def worker(self):
        with hooks(DISPATCH="worker", MAX_ATTEMPTS=3, LEASE_SECONDS=60):
            yield

    def test_each_event_is_dispatched_once(self, post, connect, running):
        called = []
        connect(signals.ticket_changed, lambda event, **kwargs: called.append(event.primary_key))
        for number in range(30):
            post(body(PrimaryKey=number))
        running()
        wait_until(lambda: Event.objects.filter(status="succeeded").count() == 30)
        assert sorted(called) == list(range(30))

    def test_a_receiver_that_hangs_does_not_keep_others_from_theirs(
        self, post, connect, running, monkeypatch
    ):
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one lane")
        monkeypatch.setattr(watching, "STUCK_SECONDS", 0.1)
        release = threading.Event()
        called = []

        def hangs(**kwargs):
            release.wait(SECONDS)

        connect(signals.ticket_changed, hangs, atomic=False)
        connect(signals.any_event, lambda event, **kwargs: called.append(event.name))
        for _ in range(10):
            post(body())
        post(body("contact.changed"))
        try:
            running()
            wait_until(lambda: "contact.changed" in called)
        finally:
            release.set()
        # Those that wait for the receiver that hangs have used up nothing.
        assert set(Event.objects.values_list("attempts", flat=True)) <= {0, 1}

    def test_the_end_lets_receivers_finish_and_gives_the_rest_back(self, post, connect, running):
        begun, release = threading.Event(), threading.Event()

        def slow(**kwargs):
            begun.set()
            release.wait(SECONDS)

        connect(signals.ticket_changed, slow, atomic=False)
        for number in range(5):
            post(body(PrimaryKey=number))
        these = running(1)
        assert begun.wait(SECONDS)
        ends = threading.Thread(target=these.stop, args=[SECONDS])
        ends.start()
        wait_until(lambda: these.is_stopping)
        release.set()
        ends.join(SECONDS)
        assert Event.objects.filter(status="succeeded").count() == 1
        assert Event.objects.due().filter(attempts=0, claim=None).count() == 4

    @pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, SystemExit])
    def test_what_ends_a_thread_ends_no_lane(self, post, connect, running, error):
        def raises(**kwargs):
            raise error

        connect(signals.ticket_changed, raises)
        connect(signals.contact_changed, lambda **kwargs: None)
        for number in range(4):
            post(body(PrimaryKey=number))
        these = running()
        wait_until(lambda: Event.objects.filter(attempts=1).count() == 4)
        post(body("contact.changed"))
        wait_until(lambda: Event.objects.filter(status="succeeded").count() == 1)
        assert all(lane.thread.is_alive() for lane in these.lanes)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_lane_that_ended_is_replaced(self, post, connect, running, monkeypatch):
        def raises(_lane, error):
            raise error

        with monkeypatch.context() as patch:
            # As a handler of the project's logging may.
            patch.setattr(Lane, "_recover", raises)
            patch.setattr(Lanes, "next_sequence", lambda lanes: 1 / 0)
            these = Lanes(Dispatcher.Kind.COMMAND, 2)
            these.start()
            wait_until(lambda: not these.lanes)
        Keeper(these).look()
        connect(signals.ticket_changed, lambda **kwargs: None)
        post(body())
        wait_until(lambda: Event.objects.filter(status="succeeded").count() == 1)
        these.stop(SECONDS)

    def test_a_lane_outlives_whatever_is_raised(self, post, connect, running, monkeypatch):
        raised: list[int] = []
        real = Attempt.make

        def raises_once(attempt, along):
            if not raised:
                raised.append(1)
                raise RuntimeError("a bug of ours")
            return real(attempt, along)

        monkeypatch.setattr(Attempt, "make", raises_once)
        connect(signals.ticket_changed, lambda **kwargs: None)
        post(body())
        running(1)
        wait_until(lambda: Event.objects.filter(status="succeeded").exists())

    def test_an_event_that_outlived_its_process_is_called_alone(self, post, connect, running):
        inside: list[str] = []
        beside: list[list[str]] = []
        lock = threading.Lock()

        def notes(event, **kwargs):
            with lock:
                inside.append(event.name)
            time.sleep(0.05)
            with lock:
                if event.name == "contact.changed":
                    beside.append(list(inside))
                inside.remove(event.name)

        connect(signals.any_event, notes, atomic=False)
        post(body("contact.changed"))
        (suspect,) = take(1)
        assert steps.begin(suspect, calling="", alone=False).apply()
        Event.objects.update(next_attempt_at=InSeconds(-1))
        for _ in range(10):
            post(body())
        running()
        wait_until(lambda: Event.objects.filter(status="succeeded").count() == 11)
        assert beside == [["contact.changed"]]

    def test_a_reserved_lane_begins_with_the_event_as_it_is_stored(self, post, connect, running):
        connect(signals.ticket_changed, lambda **kwargs: None)
        these = running(1)
        wait_until(these.reserve)
        post(body())
        Event.objects.update(**queue.place_begun())
        event = Event.objects.get()
        these.hand(event)
        wait_until(lambda: Event.objects.filter(status="succeeded").exists())
        assert Event.objects.get().attempts == 1

    def test_a_test_event_that_was_stored_as_begun_is_announced_in_one_attempt(
        self, post, connect, running
    ):
        announced = []
        connect(signals.webhook_tested, lambda event, **kwargs: announced.append(event.pk))
        these = running(1)
        wait_until(these.reserve)
        post(documented("test-event-01-test"))
        Event.objects.update(**queue.place_begun())
        these.hand(Event.objects.get())
        wait_until(lambda: Event.objects.filter(status="skipped").exists())
        event = Event.objects.get()
        assert (event.attempts, announced) == (1, [event.pk])

    def test_a_reservation_that_is_returned_leaves_the_lane_free(self, running):
        these = running(1)
        wait_until(these.reserve)
        assert not these.reserve()
        these.hand(None)
        wait_until(these.reserve)

    def test_claims_are_renewed_while_their_process_lives(self, post, connect, running):
        release = threading.Event()
        connect(signals.ticket_changed, lambda **kwargs: release.wait(SECONDS), atomic=False)
        for number in range(3):
            post(body(PrimaryKey=number))
        with hooks(DISPATCH="worker", LEASE_SECONDS=1):
            running(1)
            try:
                wait_until(lambda: Event.objects.filter(attempts=1).exists())
                time.sleep(1.5)
                assert take(3) == []
            finally:
                release.set()
            wait_until(lambda: Event.objects.filter(status="succeeded").count() == 3)
        assert set(Event.objects.values_list("attempts", flat=True)) == {1}

    def test_the_next_event_begins_in_the_commit_of_the_one_before(self, post, connect, running):
        begun: list[int] = []

        def note(**kwargs):
            transaction.on_commit(lambda: begun.append(Event.objects.filter(attempts=1).count()))

        connect(signals.ticket_changed, note)
        for number in range(3):
            post(body(PrimaryKey=number))
        with hooks(DISPATCH="worker"):
            running(1)
            wait_until(lambda: len(begun) == 3)
        assert begun == [2, 3, 3]

    def test_retries_of_several_events_call_only_the_receivers_that_failed(
        self, post, connect, running
    ):
        well: list[int] = []
        failed: list[int] = []

        def fails_once(event, **kwargs):
            if event.pk not in failed:
                failed.append(event.pk)
                raise ValueError("not yet")

        connect(signals.ticket_changed, lambda event, **kwargs: well.append(event.pk))
        connect(signals.ticket_changed, fails_once)
        for number in range(3):
            post(body(PrimaryKey=number))
        with hooks(DISPATCH="worker"):
            running(1)
            wait_until(lambda: Event.objects.filter(attempts=1, claim=None).count() == 3)
            Event.objects.update(next_attempt_at=timezone.now())
            wait_until(lambda: Event.objects.filter(status="succeeded").count() == 3)
        assert sorted(well) == sorted(failed)

    def test_a_call_that_takes_too_long_is_reported_and_its_claim_lapses(
        self, post, connect, running, caplog, monkeypatch
    ):
        monkeypatch.setattr(watching, "STUCK_SECONDS", 0.1)
        release = threading.Event()
        connect(signals.ticket_changed, lambda **kwargs: release.wait(SECONDS), atomic=False)
        post(body())
        with hooks(DISPATCH="worker", LEASE_SECONDS=1, CALL_SECONDS=1):
            running(1)
            try:
                wait_until(lambda: Event.objects.filter(attempts=1).exists())
                first = Event.objects.get().claim
                wait_until(lambda: "may hang" in caplog.text)
                # Another lane finds it due.
                wait_until(lambda: Event.objects.get().claim != first)
            finally:
                release.set()
        assert caplog.text.count("may hang") == 1

    @pytest.mark.django_db
    def test_what_is_stored_while_a_lane_looks_is_looked_for_at_once(self, monkeypatch):
        lanes = Lanes(Dispatcher.Kind.COMMAND, 1)
        look = lanes._claimed._events.take

        def overtaken(limit):
            taken = look(limit)
            lanes.wake()
            return taken

        monkeypatch.setattr(lanes._claimed._events, "take", overtaken)
        assert lanes.next_sequence() == []
        assert lanes.pause.is_over

    @pytest.mark.parametrize(
        ("settings", "count"),
        [({}, 2), ({"LANES": 3}, 3), ({"DISPATCH": "worker", "SPOOL_DIR": "spool"}, 1)],
        ids=["shipped", "LANES", "only for its spool"],
    )
    def test_a_web_process_has_as_many_as_its_setting_says(
        self, monkeypatch, tmp_path, settings, count
    ):
        monkeypatch.setattr(process, "_lanes", None)
        monkeypatch.chdir(tmp_path)
        with hooks(**settings):
            these = process.lanes_of_process()
            # SQLite has one writer.
            assert these.count == (1 if connection.vendor == "sqlite" else count)
            these.stop(SECONDS)

    def test_lanes_close_their_connections(self, running, django_assert_num_queries):
        these = running()
        wait_until(lambda: these.pause.is_long)
        these.stop(SECONDS)
        assert not [alias for alias in connections if connections[alias].in_atomic_block]


class TestGate:
    """Many at once, or one alone."""

    def test_who_is_alone_waits_for_others_and_keeps_them_out(self):
        gate, order = Gate(), []
        with gate.inside(Calling()):
            with gate.inside(Calling(), alone=True, seconds=0.01) as is_alone:
                assert not is_alone
            assert not gate.wanted_alone
        with gate.inside(Calling(), alone=True, seconds=1) as is_alone:
            assert is_alone

            def enter():
                with gate.inside(Calling()):
                    order.append("other")

            other = threading.Thread(target=enter)
            other.start()
            time.sleep(0.05)
            order.append("alone")
        other.join(SECONDS)
        assert order == ["alone", "other"]

    def test_who_is_alone_and_hangs_keeps_nobody_out(self, monkeypatch):
        gate, hangs, entered = Gate(), Calling(), []
        with gate.inside(hangs, alone=True, seconds=0):
            hangs.begin("tests.hangs")
            with hooks(CALL_SECONDS=1):
                monkeypatch.setattr(hangs, "_since", time.monotonic() - 1)
                assert not gate.wanted_alone
                with gate.inside(Calling()):
                    entered.append("other")
                with gate.inside(Calling(), alone=True, seconds=0) as is_alone:
                    assert is_alone
        assert entered == ["other"]

    def test_two_that_want_to_be_alone_take_turns(self):
        gate, order = Gate(), list[bool | str]()

        def enter():
            with gate.inside(Calling(), alone=True, seconds=SECONDS) as is_alone:
                order.append(is_alone)

        with gate.inside(Calling(), alone=True, seconds=0):
            with gate.inside(Calling(), alone=True, seconds=0.01) as is_alone:
                assert not is_alone
            other = threading.Thread(target=enter)
            other.start()
            time.sleep(0.05)
            order.append("first")
        other.join(SECONDS)
        assert order == ["first", True]
        assert not gate.wanted_alone

    def test_a_pause_grows_until_it_ends(self):
        pause = Pause(1, 4)
        assert pause.is_over
        pause.begin()
        first = pause.left
        for _ in range(5):
            pause.begin()
        assert first < pause.left <= 4
        assert pause.is_long
        assert not pause.is_over
        pause.end()
        assert pause.is_over
        assert not pause.is_long


@pytest.mark.django_db
class TestDispatchersAreSeen:
    """Each loop keeps a row alive."""

    def test_it_says_that_it_lives_and_leaves(self):
        row = Dispatcher.of_this_process("web", 2)
        row.note_seen()
        row.note_seen()
        stored = Dispatcher.objects.living().get()
        assert (stored.kind, stored.lanes, stored.hung) == ("web", 2, 0)
        Dispatcher.objects.update(seen_at=InSeconds(-1000))
        assert not Dispatcher.objects.living().exists()
        row.note_seen()
        assert Dispatcher.objects.living().count() == 1
        row.note_end()
        assert not Dispatcher.objects.exists()

    def test_one_that_somebody_deleted_comes_back_and_old_ones_are_forgotten(self):
        gone = Dispatcher.of_this_process("web", 1)
        gone.note_seen()
        Dispatcher.objects.update(seen_at=InSeconds(-200_000))
        row = Dispatcher.of_this_process("command", 1)
        row.note_seen()
        assert Dispatcher.objects.get().kind == "command"
        Dispatcher.objects.all().delete()
        row.note_seen()
        assert Dispatcher.objects.count() == 1
