"""``only_newest``: each receiver is called for the newest event of a record that is for it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay
from superoffice_hooks.replay.criteria import select
from superoffice_hooks.replay.newest import Newest
from superoffice_hooks.replay.past import Past
from superoffice_hooks.replay.records import count_records
from superoffice_hooks.replay.running import Criteria, Preview, carry_on, plan, replay

from ..conftest import SECRET, body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]
HERE = __name__
OWN = {"SECRETS": [SECRET], "OWN_ASSOCIATES": {"Default": [99]}, "MAX_ATTEMPTS": 1}

calls: list[tuple[str, Any]] = []
failing = set[str]()


def _call(name: str, event: Event, replay: Replay | None) -> None:
    if replay:
        calls.append((name, event.associate_id))
    if name in failing:
        raise RuntimeError(name)


def everything(event, replay, **kwargs):
    _call("everything", event, replay)


def priority(event, replay, **kwargs):
    _call("priority", event, replay)


@pytest.fixture(autouse=True)
def _nothing_yet():
    calls.clear()
    failing.clear()


@pytest.fixture
def send(post) -> Callable[..., Event]:
    """``send(number, "priority")``: an event with this number, in which these fields changed."""

    def send(number: int, *changes: str, name: str = "ticket.changed", **values: Any) -> Event:
        values = {"PrimaryKey": 7, **values, "Changes": changes, "ChangedByAssociateId": number}
        post(body(name, FieldValues={}, **values))
        return Event.objects.latest("pk")

    return send


def run(criteria: Criteria = Criteria(), **options: Any) -> Replay:  # noqa: B008
    """Replay the newest; the preview has said how often each receiver is called."""
    calls.clear()
    chosen = options.get("receivers")
    only_failed = options.get("only_failed", False)
    preview = Preview(criteria, chosen, only_failed=only_failed, only_newest=True)
    foreseen = preview.calls
    done = replay(plan(criteria, who="anna", reason="", only_newest=True, **options))
    made = list(done.runs.values_list("receiver", flat=True))
    assert {path: made.count(path) for path in made} == foreseen
    return done


class TestPerReceiver:
    """Which event is the newest depends on the receiver."""

    def test_a_newer_event_that_a_receiver_never_hears_of_does_not_count(self, send, connect):
        connect(signals.any_event, everything)
        connect(signals.ticket_changed, priority, fields="priority")
        send(1, "priority")
        send(2, "priority")
        send(3, "title")
        send(4, name="ticket.deleted")
        done = run()
        assert calls == [("priority", 2), ("everything", 4)]
        assert (done.planned, done.done, done.skipped) == (4, 4, 2)

    def test_records_are_told_apart_by_tenant_entity_and_number(self, send, connect):
        connect(signals.any_event, everything)
        send(1)
        send(2, PrimaryKey=8)
        send(3, ContextIdentifier="Cust2")
        send(4, name="sale.changed")
        send(5)
        run()
        assert [number for _, number in calls] == [2, 3, 4, 5]

    def test_events_without_a_record_are_all_called_for(self, send, connect):
        connect(signals.any_event, everything)
        send(1, PrimaryKey=None)
        send(2, PrimaryKey=None)
        run()
        assert [number for _, number in calls] == [1, 2]

    def test_the_newest_is_the_one_that_occurred_last(self, send, connect):
        connect(signals.any_event, everything)
        send(1, Timestamp="2026-01-01T12:02:00Z")
        send(2, Timestamp="2026-01-01T12:01:00Z")
        run()
        assert [number for _, number in calls] == [1]

    def test_of_two_that_occurred_at_one_time_it_is_the_one_received_last(self, send, connect):
        connect(signals.any_event, everything)
        send(1, Timestamp="2026-01-01T12:00:00Z")
        send(2, Timestamp="2026-01-01T12:00:00Z")
        run()
        assert [number for _, number in calls] == [2]

    @pytest.mark.parametrize(("unknown", "expected"), [("call", 2), ("skip", 1)])
    def test_unknown_changes_count_where_the_receiver_takes_them(
        self, send, connect, unknown, expected
    ):
        connect(signals.ticket_changed, priority, fields="priority", unknown_changes=unknown)
        send(1, "priority")
        send(2)
        run()
        assert calls == [("priority", expected)]

    @override_settings(SUPEROFFICE_HOOKS=OWN)
    def test_our_own_does_not_count_where_the_receiver_ignores_it(self, send, connect):
        connect(signals.any_event, everything)
        connect(signals.ticket_changed, priority, ignore_own=True)
        send(1, "title")
        send(99, "title")
        run()
        assert sorted(calls) == [("everything", 99), ("priority", 1)]

    @override_settings(SUPEROFFICE_HOOKS=OWN)
    def test_noise_does_not_count_where_the_receiver_wants_what_is_significant(self, send, connect):
        connect(signals.ticket_changed, priority, fields="significant")
        send(1, "title")
        send(2, "updated")
        run()
        assert calls == [("priority", 1)]

    def test_a_callable_decides_for_each_event(self, send, connect):
        connect(
            signals.ticket_changed,
            priority,
            fields=lambda event: "title" if event.associate_id == 1 else "priority",
        )
        send(1, "title")
        send(2, "title")
        calls.clear()
        replay(plan(Criteria(), who="anna", reason="", only_newest=True))
        assert calls == [("priority", 1)]

    def test_only_the_chosen_receivers_are_called(self, send, connect):
        connect(signals.any_event, everything)
        connect(signals.ticket_changed, priority, fields="priority")
        send(1, "priority")
        send(2, "title")
        run(receivers=(f"{HERE}.priority",))
        assert calls == [("priority", 1)]

    def test_an_event_that_is_not_selected_does_not_count(self, send, connect):
        connect(signals.any_event, everything)
        send(1, "priority")
        send(2, "title")
        run(Criteria(changed=("priority",)))
        assert calls == [("everything", 1)]


class TestWithOnlyFailed:
    """The newest is meant among the events for which the receiver failed."""

    def test_one_that_succeeded_does_not_count(self, send, connect):
        connect(signals.any_event, everything)
        failing.add("everything")
        send(1)
        send(2)
        failing.clear()
        send(3)
        done = run(only_failed=True)
        assert calls == [("everything", 2)]
        assert (done.done, done.skipped, done.failed) == (3, 2, 0)

    def test_it_is_decided_for_each_receiver(self, send, connect):
        connect(signals.any_event, everything)
        connect(signals.ticket_changed, priority, fields="priority")
        failing.update({"everything", "priority"})
        send(1, "priority")
        send(2, "title")
        failing.clear()
        run(only_failed=True)
        assert calls == [("priority", 1), ("everything", 2)]


class TestOtherProcesses:
    """Whoever carries the replay on makes the same choice."""

    def carry_on_one_by_one(self, planned: Replay) -> None:
        """Each event is tried by a process of its own, which then dies."""
        for _ in range(planned.planned + 1):
            events = carry_on(Replay.objects.get(pk=planned.pk))
            next(events, None)
            events.close()

    def test_an_older_event_is_not_called_for_once_the_newest_has_succeeded(self, send, connect):
        connect(signals.any_event, everything)
        failing.add("everything")
        send(1, Timestamp="2026-01-01T12:02:00Z")
        send(2, Timestamp="2026-01-01T12:01:00Z")
        failing.clear()
        # Both criteria and receivers are chosen by what the replay changes.
        options: dict[str, Any] = {"only_newest": True, "only_failed": True}
        planned = plan(Criteria(status="failed"), who="anna", reason="", **options)
        planned.release()
        self.carry_on_one_by_one(planned)
        assert calls == [("everything", 1)]
        assert Event.objects.get(associate_id=1).status == "succeeded"
        assert Event.objects.get(associate_id=2).status == "failed"

    def test_events_that_come_in_meanwhile_change_nothing(self, send, connect):
        connect(signals.any_event, everything)
        send(1)
        send(2, PrimaryKey=8)
        planned = plan(Criteria(), who="anna", reason="", only_newest=True)
        planned.release()
        send(3)
        self.carry_on_one_by_one(planned)
        assert [number for _, number in calls] == [1, 2]

    def test_one_whose_run_was_stored_before_the_process_died_stays_the_newest(self, send, connect):
        connect(signals.any_event, everything)
        failing.add("everything")
        send(1, Timestamp="2026-01-01T12:02:00Z")
        send(2, Timestamp="2026-01-01T12:01:00Z")
        failing.clear()
        planned = plan(Criteria(), who="anna", reason="", only_newest=True, only_failed=True)
        planned.release()
        self.carry_on_one_by_one(planned)
        # As if the process had died before it saved how far it was.
        Replay.objects.update(position=0, finished_at=None, done=0, skipped=0)
        self.carry_on_one_by_one(planned)
        assert calls == [("everything", 1)]

    def test_a_long_record_is_looked_at_in_parts(self, send, connect):
        connect(signals.any_event, everything)
        connect(signals.ticket_changed, priority, fields="priority")
        send(0, "priority")
        for number in range(1, 6):
            send(number, "title", PrimaryKey=7 + number % 2)
        planned = plan(Criteria(), who="anna", reason="", only_newest=True)
        newest = Newest(
            planned, select(Criteria()), max_records=1, keys_at_once=2, events_at_once=1
        )
        chosen = {}
        for event in Event.objects.order_by("pk"):
            ((_key, paths),) = newest.choose([event], Past(planned, [event.pk])).items()
            chosen[event.associate_id] = sorted(path.rpartition(".")[2] for path in paths)
        assert chosen == {
            0: ["priority"],
            1: [],
            2: [],
            3: [],
            4: ["everything"],
            5: ["everything"],
        }


class TestCounting:
    """The figures of a preview are those of the events that a receiver is called for."""

    def test_events_whose_changes_are_unknown_are_told_apart_from_others(self, send, connect):
        connect(signals.ticket_changed, priority, fields="priority")
        connect(signals.ticket_changed, everything, fields="status", unknown_changes="skip")
        send(1, PrimaryKey=1)
        send(2, "title", PrimaryKey=2)
        send(3, "priority", PrimaryKey=3)
        preview = Preview(Criteria(), (f"{HERE}.priority",))
        assert (preview.called_events, preview.called_records) == (2, 2)
        only_unknown = Preview(Criteria(up_to=Event.objects.order_by("pk")[1].pk))
        assert (only_unknown.called_events, only_unknown.called_records) == (1, 1)

    @pytest.mark.parametrize("conditions", [[], [None, None]])
    def test_no_events_have_no_records(self, conditions):
        counted = count_records(Event.objects.none(), conditions)
        assert counted == (0, 0, 0, [0 for _ in conditions])


class TestSupersededRecords:
    """What ``unsuperseded`` would have left out altogether."""

    def test_a_newer_event_of_any_kind_leaves_the_receiver_nothing(self, send, connect):
        connect(signals.ticket_changed, priority, fields="priority")
        send(1, "priority")
        send(2, "priority")
        send(3, "title")
        send(4, "priority", PrimaryKey=8)
        preview = Preview(Criteria(), only_newest=True)
        assert preview.calls == {f"{HERE}.priority": 2}
        assert (preview.called_events, preview.called_records) == (3, 2)
        assert preview.superseded_records == 1
        kept = select(Criteria(changed=("priority",), unsuperseded=True))
        assert [event.associate_id for event in kept] == [4]

    @pytest.mark.parametrize("only_failed", [True, False])
    @pytest.mark.parametrize("same_time", [True, False])
    def test_it_follows_the_choice(self, send, connect, only_failed, same_time):
        values = {"Timestamp": "2026-01-01T12:00:00Z"} if same_time else {}
        connect(signals.any_event, everything)
        failing.add("everything")
        send(1, **values)
        failing.clear()
        send(2, **values)
        preview = Preview(Criteria(), only_failed=only_failed)
        assert preview.superseded_records == only_failed
        assert preview.called_events == (1 if only_failed else 2)

    def test_nothing_selected_is_nothing(self, send):
        preview = Preview(Criteria(), only_newest=True)
        assert (preview.records, preview.superseded_records, preview.calls) == (0, 0, {})
