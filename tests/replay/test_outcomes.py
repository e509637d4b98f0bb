"""What a replay makes of its events: what their runs say, and what its counts say, is the same."""

from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone, translation

from superoffice_hooks import signals
from superoffice_hooks.models import ChangedField, ChangeSet, Event, ReceiverRun, Replay
from superoffice_hooks.replay.criteria import frozen
from superoffice_hooks.replay.running import Criteria, Preview, plan, replay

from ..conftest import body
from ..replica import ReplicaThatLags

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


def run(**options: Any) -> Replay:
    return replay(plan(Criteria(), who="anna", reason="", **options))


@pytest.fixture
def broken(connect) -> set[str]:
    """The names of those of two receivers that raise."""
    raising = {"first", "second"}

    def first(**kwargs):
        if "first" in raising:
            raise RuntimeError("first")

    def second(**kwargs):
        if "second" in raising:
            raise RuntimeError("second")

    connect(signals.ticket_changed, first)
    connect(signals.any_event, second)
    return raising


def paths(*names: str) -> tuple[str, ...]:
    known = {receiver.path.rpartition(".")[2]: receiver.path for receiver in signals.connected()}
    return tuple(known[name] for name in names)


def status() -> str:
    return Event.objects.get().status


class TestFailedEvents:
    """They succeed when the last run of each of their receivers has."""

    @pytest.mark.parametrize("before", ["failed", "handled"])
    @pytest.mark.parametrize("only_failed", [True, False])
    def test_all_at_once(self, post, broken, before, only_failed):
        post(body())
        Event.objects.update(status=before)
        broken.clear()
        done = run(only_failed=only_failed)
        assert (status(), done.done, done.runs.count()) == ("succeeded", 1, 2)

    def test_one_replay_after_the_other(self, post, broken):
        post(body())
        broken.clear()
        run(receivers=paths("first"))
        assert status() == "failed"
        run(receivers=paths("second"))
        assert status() == "succeeded"

    @pytest.mark.django_db(transaction=True)
    def test_two_replays_for_two_receivers_at_once(self, post, broken, connect):
        """Neither may go by what it read before the other had succeeded."""
        post(body())
        broken.clear()
        nested: list[Replay] = []

        def meanwhile(replay, **kwargs):
            if replay and not nested:
                nested.append(run(receivers=paths("first")))

        connect(signals.ticket_changed, meanwhile, atomic=False)
        run(receivers=paths("meanwhile", "second"))
        assert [row.done for row in nested] == [1]
        assert status() == "succeeded"

    def test_not_while_one_fails_still(self, post, broken):
        post(body())
        broken.remove("first")
        done = run()
        assert (status(), done.done, done.failed) == ("failed", 0, 1)
        broken.add("first")
        broken.remove("second")
        run(only_failed=True)
        # The first one succeeded in a replay before.
        assert status() == "succeeded"

    def test_not_while_one_has_failed_that_is_not_connected_any_more(self, post, broken):
        post(body())
        broken.clear()
        ReceiverRun.objects.filter(receiver=paths("second")[0]).update(receiver="gone.with_it")
        done = run()
        assert (status(), done.done, done.failed) == ("failed", 1, 0)

    def test_not_if_nobody_was_called(self, post, broken):
        post(body())
        ReceiverRun.objects.update(receiver="gone.with_it")
        done = run(only_failed=True)
        assert (status(), done.done, done.skipped) == ("failed", 1, 1)

    def test_not_if_it_is_due_again_by_then(self, post, connect):
        post(body())
        Event.objects.update(status="failed")

        def revives(replay, **kwargs):
            if replay:
                columns = {"status": "pending", "next_attempt_at": timezone.now()}
                Event.objects.update(**columns)

        connect(signals.ticket_changed, revives)
        assert run().done == 1
        assert status() == "pending"

    def test_all_else_about_them_stays(self, post, broken):
        post(body())
        before = Event.objects.values().get()
        broken.clear()
        run()
        assert Event.objects.values().get() == {**before, "status": "succeeded"}


def test_an_event_that_succeeded_stays_so_though_its_replay_failed(post, broken):
    broken.clear()
    post(body())
    broken.add("second")
    before = Event.objects.values().get()
    done = run()
    assert (done.done, done.failed) == (0, 1)
    assert Event.objects.values().get() == before
    runs = done.runs.values_list("receiver", "outcome")
    assert {path.rpartition(".")[2]: outcome for path, outcome in runs} == {
        "first": "succeeded",
        "second": "failed",
    }
    broken.clear()
    assert run(only_failed=True).runs.get().receiver == paths("second")[0]


@pytest.mark.django_db(transaction=True)
def test_an_on_commit_hook_that_raises_makes_no_failure_of_a_success(post, connect, caplog):
    def hooked(replay, **kwargs):
        if replay:
            transaction.on_commit(lambda: int("no number"))

    connect(signals.ticket_changed, hooked)
    post(body())
    Event.objects.update(status="failed")
    done = run()
    assert (done.done, done.failed, status()) == (1, 0, "succeeded")
    made = done.runs.get()
    assert (made.outcome, made.error) == (
        "succeeded",
        "ValueError: invalid literal for int() with base 10: 'no number'",
    )
    assert "An on_commit hook" in caplog.text


class OwnTimeout(BaseException):
    """As gevent.Timeout, which is no Exception."""


@pytest.mark.parametrize("error", [SystemExit(2), OwnTimeout()])
def test_what_is_no_exception_is_the_failure_of_its_receiver_and_stops_nothing(
    post, connect, calls, error
):
    def raises(replay, event, **kwargs):
        if replay and event.primary_key == 0:
            raise error

    connect(signals.ticket_changed, raises)
    for number in range(3):
        post(body(PrimaryKey=number))
    done = run()
    assert (done.state, done.done, done.failed) == ("finished", 2, 1)
    assert calls == [0, 1, 2]


def test_receivers_are_called_in_the_language_and_time_zone_of_the_project(post, connect):
    seen = []

    def look(replay, **kwargs):
        if replay:
            seen.append((translation.get_language(), timezone.get_current_timezone_name()))

    connect(signals.ticket_changed, look)
    post(body())
    with translation.override("nb"), timezone.override("Asia/Tokyo"):
        run()
        assert translation.get_language() == "nb"
    assert seen == [("en-us", "Europe/Oslo")]


class TestTestEvents:
    @pytest.fixture
    def told(self, post, connect):
        """The test events that ``webhook_tested`` announced in a replay."""
        post(body("test"))
        told: list[str] = []
        connect(signals.webhook_tested, lambda event, **kwargs: told.append(event.name))
        return told

    def test_they_are_announced_again(self, told):
        done = run()
        assert (told, done.done, done.skipped) == (["test"], 1, 1)

    def test_a_replay_for_some_receivers_announces_none(self, told, broken):
        run(receivers=paths("first"))
        run(only_failed=True)
        assert told == []


class TestWithAReadReplica:
    @pytest.fixture(autouse=True)
    def failed(self, one_attempt, post, broken):
        post(body(Changes=["priority"]))
        post(body(Changes=["title"]))
        broken.clear()
        with override_settings(DATABASE_ROUTERS=[ReplicaThatLags()]):
            yield

    @pytest.mark.parametrize("others", [0, 1000])
    def test_a_replay_reads_where_it_writes(self, others):
        """Also where more change sets have the fields than are looked up by their keys."""
        with override_settings(DATABASE_ROUTERS=[]):
            priority = ChangedField.objects.get(name="priority")
            sets = ChangeSet.objects.bulk_create(ChangeSet(pk=n + 1) for n in range(others))
            links = ChangeSet.fields.through
            links.objects.bulk_create(links(changeset=one, changedfield=priority) for one in sets)
        criteria = Criteria(changed=("priority", "title"), unsuperseded=True, name="ticket.*")
        done = replay(plan(criteria, who="anna", reason="", only_failed=True))
        with override_settings(DATABASE_ROUTERS=[]):
            latest = Event.objects.unsuperseded().count()
            assert (done.planned, done.done, done.failed) == (latest, latest, 0)
            assert Event.objects.filter(status="succeeded").count() == latest

    @pytest.mark.parametrize("limit", [None, 1])
    def test_a_preview_counts_there_too(self, limit):
        preview = Preview(frozen(Criteria(status="failed", limit=limit)))
        assert preview.events == (limit or 2)
        assert preview.failed.keys() == preview.receivers.keys() == set(paths("first", "second"))
        assert preview.records == 1
        assert preview.superseded in (0, 1)
