"""Pruning: what is past retention goes, and nothing else, whoever works on the events meanwhile."""

import threading
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError, close_old_connections, connection, transaction
from django.db.models import ProtectedError, RestrictedError
from django.db.models.signals import post_delete, pre_delete
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import (
    ChangedField,
    ChangeSet,
    Event,
    FailureGroup,
    ReceiverRun,
    Redelivery,
    Rejection,
    Replay,
)
from superoffice_hooks.replay.running import Criteria, plan, replay
from superoffice_hooks.retention.pruning import prune, steps

from .conftest import SECRET, body
from .replica import ReplicaThatLags

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def receives(event, **kwargs):
    if event.tenant == "failed" or (event.tenant == "raises once" and not event.runs.exists()):
        raise RuntimeError("not now")


@pytest.fixture
def old(post, connect):
    """``old(days, tenant)``: an event of so many days ago, delivered twice unless to fail."""
    connect(signals.ticket_changed, receives)

    def deliver(days=30, tenant="fine", name="ticket.changed", **values) -> Event:
        sent = {"ContextIdentifier": tenant, "Changes": ["priority"], **values}
        first = body(name, WebhookName="one", **sent)
        assert post(first).status_code == 200
        event = Event.objects.latest("pk")
        again = body(name, EventId=str(event.event_id), WebhookName="two", **sent)
        if tenant != "failed":
            assert post(again).status_code == 200
        received_at = timezone.now() - days * DAY
        Event.objects.filter(pk=event.pk).update(received_at=received_at)
        return Event.objects.get(pk=event.pk)

    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "MAX_ATTEMPTS": 1}):
        yield deliver


def pruned(batch: int = 100, **days: float) -> dict[str, int]:
    """What a run with these periods, in days, pruned."""
    planned = steps({what: number * DAY for what, number in days.items()})
    counts: dict[str, int] = {}
    for what, rows, kept in prune(planned, batch):
        counts[what] = counts.get(what, 0) + rows
        assert not kept
    return counts


def sizes(what: str, batch: int) -> tuple[int, ...]:
    """How many rows each batch had."""
    return tuple(rows for _, rows, _ in prune(steps({what: WEEK}), batch))


def a_replay(days: int, **values) -> Replay:
    moment = timezone.now() - days * DAY
    return Replay.objects.create(
        who="w", reason="y", created_at=moment, finished_at=moment, **values
    )


class TestEvents:
    def test_old_ones_go_with_their_runs_and_redeliveries(self, old):
        gone, kept = old(days=8), old(days=6)
        assert (gone.runs.count(), gone.redeliveries.count()) == (1, 1)
        assert pruned(events=7) == {"events": 1}
        assert Event.objects.get() == kept
        assert ReceiverRun.objects.get().event == kept
        assert Redelivery.objects.get().event == kept

    @pytest.mark.parametrize("status", Event.Status.values)
    def test_those_go_that_are_finished_and_want_nobody(self, old, status):
        old()
        Event.objects.update(status=status)
        expected = {"succeeded": 1, "skipped": 1, "handled": 1}.get(status, 0)
        assert pruned(events=7, bodies=1).get("events", 0) == expected
        assert Event.objects.count() == 1 - expected

    @pytest.mark.parametrize("status", Event.Status.values)
    @pytest.mark.parametrize("days", [-2000, 1])
    @pytest.mark.parametrize("claim", [None, 7])
    def test_one_that_is_due_or_claimed_stays_however_old(self, old, status, days, claim):
        event = old(days=3000)
        due_at = timezone.now() + days * DAY
        Event.objects.update(status=status, next_attempt_at=due_at, claim=claim)
        assert pruned(events=1, failed=1, bodies=1) == {}
        event.refresh_from_db()
        assert bytes(event.body)

    def test_failed_ones_have_a_period_of_their_own(self, old):
        gone, kept, fine = old(tenant="failed"), old(days=6, tenant="failed"), old()
        assert (gone.status, kept.status) == ("failed", "failed")
        assert pruned(failed=7) == {"failed": 1}
        assert set(Event.objects.all()) == {kept, fine}

    def test_the_error_of_one_that_is_gone_is_no_example_of_its_failure_group(self, old):
        gone, kept = old(tenant="failed"), old(days=6, tenant="failed")
        ReceiverRun.objects.filter(event=gone).update(error="Ann")
        FailureGroup.objects.update(error="Ann")
        assert pruned(failed=7) == {"failed": 1}
        assert FailureGroup.objects.get().error == kept.runs.get().error == "RuntimeError: not now"
        Event.objects.update(received_at=timezone.now() - 8 * DAY)
        assert pruned(failed=7) == {"failed": 1}
        assert FailureGroup.objects.get().error == "(deleted)"

    def test_change_sets_stay_for_statistics(self, old):
        old()
        pruned(events=7)
        assert (ChangeSet.objects.count(), ChangedField.objects.count()) == (1, 1)

    def test_what_the_project_does_when_an_event_is_deleted_is_done(self, old):
        deleted = []

        def note(instance, **kwargs):
            deleted.append(instance.event_id)

        event = old()
        post_delete.connect(note, sender=Event)
        try:
            pruned(events=7)
        finally:
            post_delete.disconnect(note, sender=Event)
        assert deleted == [event.event_id]

    def test_without_a_period_nothing_goes(self, old):
        old(days=3000)
        assert pruned() == {}
        assert steps({}) == []

    def test_one_that_is_delivered_again_afterwards_is_a_new_event(self, old, post):
        sent = body()
        post(sent)
        Event.objects.update(received_at=timezone.now() - 30 * DAY)
        pruned(events=7)
        assert post(sent).status_code == 200
        assert Event.objects.get().runs.count() == 1


class TestBodies:
    def test_body_headers_and_tracebacks_go_and_everything_else_stays(self, old):
        event = old(tenant="raises once")
        before = vars(event)
        assert event.headers
        assert event.runs.exclude(traceback="").exists()
        assert pruned(bodies=7) == {"bodies": 1}
        after = vars(Event.objects.get(pk=event.pk))
        changed = {key for key in after if after[key] != before[key]} - {"_state"}
        assert changed == {"body", "headers", "pruned_at"}
        assert (bytes(after["body"]), after["headers"]) == (b"", {})
        assert after["pruned_at"] - timezone.now() < timedelta(minutes=1)
        assert list(event.runs.values_list("outcome", "error", "traceback")) == [
            ("failed", "RuntimeError: not now", ""),
            ("succeeded", "", ""),
        ]

    def test_a_redelivery_with_another_body_is_not_taken_for_one_with_the_same(self, old, post):
        event = old()
        same = bytes(event.body)
        assert post(same).status_code == 200
        pruned(bodies=7)
        bodies = [again.body and bytes(again.body) for again in event.redeliveries.all()]
        assert [None if found is None else bytes(found) for found in bodies] == [b"", None]

    @pytest.mark.parametrize("status", Event.Status.values)
    def test_those_are_emptied_that_are_finished_and_want_nobody(self, old, status):
        old()
        Event.objects.update(status=status)
        expected = {"succeeded", "skipped", "handled"}
        assert pruned(bodies=7) == ({"bodies": 1} if status in expected else {})

    def test_it_is_done_once(self, old):
        old()
        assert pruned(bodies=7) == {"bodies": 1}
        pruned_at = Event.objects.get().pruned_at
        assert pruned(bodies=1) == {}
        assert Event.objects.get().pruned_at == pruned_at

    def test_one_that_came_out_well_late_is_found_all_the_same(self, old):
        late = old(tenant="failed", days=30)
        old(days=20)
        assert pruned(bodies=7) == {"bodies": 1}
        late.handle(who="w", reason="y")
        assert pruned(bodies=7) == {"bodies": 1}

    def test_what_is_deleted_is_not_emptied_first(self, old):
        old(days=30)
        old(days=10)
        assert pruned(events=20, bodies=7) == {"events": 1, "bodies": 1}
        assert pruned(events=7, bodies=20) == {"events": 1}

    def test_a_replay_still_works(self, old, connect):
        told = []

        def listens(event, changes, **kwargs):
            told.append((event.field_values.raw, changes))

        old(FieldValues={"priority": 3})
        pruned(bodies=7)
        connect(signals.any_event, listens)
        planned = plan(Criteria(), who="w", reason="y")
        assert replay(planned).failed == 0
        assert told == [({"priority": 3}, ("priority",))]


class TestReplays:
    def test_an_old_one_goes_when_its_runs_are_gone(self, old):
        old(days=8)
        planned = plan(Criteria(), who="w", reason="y")
        replay(planned)
        Replay.objects.update(finished_at=timezone.now() - 8 * DAY)
        assert pruned(events=9) == {}
        assert pruned(events=7) == {"events": 1, "replays": 1}
        assert not Replay.objects.exists()

    def test_one_with_a_run_of_an_event_that_stays_stays(self, old):
        old(days=8, tenant="failed")
        replay(plan(Criteria(), who="w", reason="y"))
        Replay.objects.update(finished_at=timezone.now() - 8 * DAY)
        assert pruned(events=7) == {}

    def test_one_that_is_not_finished_stays(self):
        a_replay(days=8)
        unfinished = a_replay(days=8)
        Replay.objects.filter(pk=unfinished.pk).update(finished_at=None)
        recent = a_replay(days=6)
        assert pruned(events=7) == {"replays": 1}
        assert set(Replay.objects.all()) == {unfinished, recent}


class TestFailureGroups:
    def test_an_old_one_goes_when_its_runs_are_gone(self, old):
        old(days=8, tenant="failed")
        FailureGroup.objects.update(last_seen=timezone.now() - 8 * DAY)
        assert pruned(events=7) == {}
        assert pruned(events=7, failed=7) == {"failed": 1, "groups": 1}
        assert not FailureGroup.objects.exists()

    def test_one_that_was_seen_lately_stays(self, old):
        old(days=8, tenant="failed")
        assert pruned(events=7, failed=7) == {"failed": 1}
        assert FailureGroup.objects.exists()


def test_rejections_go_verified_or_not(post):
    post(b"no json")
    post(body(), secret=None)
    assert sorted(Rejection.objects.values_list("verified", flat=True)) == [False, True]
    Rejection.objects.update(received_at=timezone.now() - 8 * DAY)
    post(b"no json")
    assert pruned(rejections=7, events=1, bodies=1, failed=1) == {"rejections": 2}
    assert Rejection.objects.count() == 1


class TestBatches:
    def test_each_is_as_large_as_asked_for(self, old):
        for number in range(7):
            old(days=30 + number)
        assert sizes("events", 3) == (3, 3, 1)
        assert not Event.objects.exists()

    def test_it_begins_with_the_oldest(self, old):
        events = [old(days=number) for number in (10, 30, 20)]
        for _ in zip(range(2), prune(steps({"events": WEEK}), 1), strict=False):
            pass
        assert Event.objects.get() == events[0]

    def test_events_received_at_the_same_moment_are_all_found(self, old):
        for _ in range(5):
            old()
        Event.objects.update(received_at=timezone.now() - 30 * DAY)
        assert sizes("bodies", 2) == (2, 2, 1)
        assert sizes("events", 2) == (2, 2, 1)

    @pytest.mark.parametrize("what", ["events", "bodies"])
    def test_each_asks_the_same_few_queries_and_reads_no_bodies(self, old, what):
        for number in range(6):
            old(days=30 + number)
        numbers = []
        batches = prune(steps({what: WEEK}), 2)
        for _ in range(3):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                next(batches)
            numbers.append(len(queries))
            reading = [q["sql"] for q in queries if q["sql"].startswith("SELECT")]
            assert reading
            assert not any("body" in sql or "payload" in sql for sql in reading)
        # With a savepoint and its release, for a test is a transaction already.
        assert set(numbers) <= {8, 9, 10, 11}
        assert len(set(numbers)) == 1


def make_due(key: int) -> bool:
    """Put an event into the queue, as a redelivery may."""
    columns = {"status": "pending", "next_attempt_at": timezone.now()}
    return bool(Event.objects.filter(pk=key, pruned_at=None).update(**columns))


class TestProtected:
    """Rows that cannot be pruned are kept and named, and stop nothing."""

    @pytest.fixture
    def protecting(self):
        """``protecting(error, *events)``: the project raises this where one of them is deleted."""
        connected = []

        def protect(error, *events):
            def forbids(instance, **kwargs):
                if instance in events:
                    raise error

            pre_delete.connect(forbids, sender=Event)
            connected.append(forbids)

        yield protect
        for forbids in connected:
            pre_delete.disconnect(forbids, sender=Event)

    @pytest.mark.parametrize(
        ("which", "batch"),
        [
            *[((0, 3, 6), batch) for batch in (1, 2, 5, 100)],
            *[(which, 2) for which in ((0,), (6,), (0, 1, 2), range(7))],
        ],
    )
    def test_all_others_go(self, old, protecting, batch, which):
        events = [old(days=30 - number) for number in range(7)]
        kept = [events[number] for number in which]
        protecting(ProtectedError("no", {Replay(pk=7)}), *kept)
        for _ in range(2):
            batches = list(prune(steps({"events": WEEK}), batch))
            reasons = [reason for each in batches for reason in each.kept]
            assert reasons == [
                f"Event {event.pk} is protected by superoffice_hooks.Replay" for event in kept
            ]
            assert set(Event.objects.all()) == set(kept)

    def test_whatever_protects_them(self, old, protecting, caplog):
        restricted, odd = old(days=30), old(days=29)
        protecting(RestrictedError("no", {Replay(pk=7)}), restricted)
        protecting(RuntimeError("what the project raises"), odd)
        (batch,) = prune(steps({"events": WEEK}), 5)
        assert batch.kept == (
            f"Event {restricted.pk} is protected by superoffice_hooks.Replay",
            f"Event {odd.pk} cannot be pruned: RuntimeError",
        )
        assert "what the project raises" in caplog.text

    @pytest.mark.django_db(transaction=True)
    def test_a_table_that_django_does_not_know_protects_too(self, old):
        events = [old(days=30 - number) for number in range(3)]
        table, key = Event._meta.db_table, Event._meta.pk.db_type(connection)
        kind = {"mysql": "bigint"}.get(connection.vendor, str(key).split()[0])
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE note (event {kind}, FOREIGN KEY (event) REFERENCES {table}(id))"
            )
            try:
                cursor.execute("INSERT INTO note VALUES (%s)", [events[0].pk])
                (batch,) = prune(steps({"events": WEEK}), 5)
            finally:
                cursor.execute("DROP TABLE note")
        reason = f"the database keeps Event {events[0].pk}: another table refers to it"
        assert batch == ("events", 2, (reason,))
        assert Event.objects.get() == events[0]

    def test_a_database_that_is_away_is_no_fault_of_a_row(self, old):
        old()

        def away(execute, sql, *arguments):
            if sql.startswith("DELETE"):
                raise OperationalError("server closed the connection unexpectedly")
            return execute(sql, *arguments)

        with connection.execute_wrapper(away), pytest.raises(OperationalError):
            list(prune(steps({"events": WEEK}), 5))


def test_what_is_pruned_is_read_where_it_is_written(old):
    for days in (40, 30, 20):
        old(days=days)
    a_replay(days=40)
    Rejection.objects.create(reason="x", verified=True, received_at=timezone.now() - 40 * DAY)
    with override_settings(DATABASE_ROUTERS=[ReplicaThatLags()]):
        assert pruned(events=35, failed=35, bodies=25, rejections=35) == {
            "events": 1,
            "replays": 1,
            "bodies": 1,
            "rejections": 1,
        }


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """Others put the same events into the queue again, in connections of their own."""

    @pytest.fixture(autouse=True)
    def _among_many(self, db):
        """MariaDB finds the rows of a small table by any index, and locks those it passes."""
        now = timezone.now()
        many = [
            Event(event_id=uuid.uuid4(), entity="foo", payload={}, body=b"{}", received_at=now)
            for _ in range(500)
        ]
        Event.objects.bulk_create(many)
        if connection.vendor == "mysql":
            with connection.cursor() as cursor:
                cursor.execute(f"ANALYZE TABLE {Event._meta.db_table}")

    def test_an_event_is_either_claimed_or_pruned(self, old):
        keys = [old(days=30 + number).pk for number in range(30)]
        claimed: list[int] = []

        def claim():
            for key in reversed(keys):
                claimed.extend([key] if make_due(key) else [])
            connection.close()

        claimer = threading.Thread(target=claim)
        claimer.start()
        counts = pruned(batch=2, events=7)
        claimer.join()
        left = Event.objects.filter(entity="ticket")
        assert set(left.values_list("pk", flat=True)) == set(claimed)
        assert counts.get("events", 0) + len(claimed) == 30
        assert ReceiverRun.objects.count() == Redelivery.objects.count() == len(claimed)

    @pytest.mark.parametrize("what", ["events", "bodies"])
    def test_one_that_is_claimed_after_it_was_found_is_kept_whole(self, old, what):
        event = old()
        claims = []

        def claim():
            claims.append(make_due(event.pk))
            connection.close()

        claimer = threading.Thread(target=claim)

        def when_found(execute, *arguments):
            result = execute(*arguments)
            if not claimer.ident:
                claimer.start()
                claimer.join()
            return result

        with connection.execute_wrapper(when_found):
            assert pruned(**{what: 7}) == {what: 0}
        assert claims == [True]
        kept = Event.objects.get(pk=event.pk)
        assert (kept.runs.count(), kept.redeliveries.count()) == (1, 1)
        assert bytes(kept.body) == bytes(event.body)

    def test_one_that_is_locked_cannot_be_claimed_any_more(self, old):
        event = old()
        claims = []

        def claim():
            claims.append(make_due(event.pk))
            connection.close()

        claimer = threading.Thread(target=claim)

        def when_deleting(execute, sql, *arguments):
            if sql.startswith("DELETE") and not claimer.ident:
                claimer.start()
                claimer.join(0.2)
                assert claims == []
            return execute(sql, *arguments)

        with connection.execute_wrapper(when_deleting):
            assert pruned(events=7) == {"events": 1}
        claimer.join()
        assert claims == [False]

    @pytest.mark.parametrize("what", ["events", "bodies"])
    def test_one_that_is_being_claimed_is_left_alone_without_waiting(self, old, what):
        if not connection.features.has_select_for_update_skip_locked:
            pytest.skip("this database locks no rows")
        claimed, other = old(), old()
        is_claimed, may_commit = threading.Event(), threading.Event()

        def claim():
            with transaction.atomic():
                assert make_due(claimed.pk)
                is_claimed.set()
                assert may_commit.wait(20)
            connection.close()

        claimer = threading.Thread(target=claim)
        claimer.start()
        try:
            assert is_claimed.wait(20)
            assert pruned(batch=1, **{what: 7}) == {what: 1}
        finally:
            may_commit.set()
            claimer.join()
        claimed.refresh_from_db()
        assert (claimed.is_finished, claimed.pruned_at, claimed.runs.count()) == (False, None, 1)
        assert not Event.objects.filter(pk=other.pk, pruned_at=None).exists()

    def test_two_that_prune_at_once_share_the_work(self, old):
        for number in range(20):
            old(days=30 + number)
        counts = []

        def prune_too():
            counts.append(pruned(batch=3, events=7).get("events", 0))
            connection.close()

        others = [threading.Thread(target=prune_too) for _ in range(2)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        assert sum(counts) == 20
        assert not Event.objects.filter(entity="ticket").exists()
        close_old_connections()


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_is_the_victim_of_a_deadlock_is_pruned_again(old):
    old()
    (step,) = steps({"events": WEEK})[:1]
    act, undone = step.act, list[int]()

    def undoing(rows, keys):
        act(rows, keys)
        if not undone:
            undone.extend(keys)
            raise OperationalError(1213, "Deadlock found when trying to get lock")

    (pruned,) = replace(step, act=undoing).prune(10)
    assert undone
    assert (pruned.pruned, Event.objects.count()) == (1, 0)
