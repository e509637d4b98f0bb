"""A process remembers which change sets are stored, and is never wrong for it."""

import threading
from dataclasses import replace

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, router, transaction
from django.utils import timezone

from superoffice_hooks.models import ChangedField, ChangeSet, Event, changed_fields, queue
from superoffice_hooks.wire.notification import Delivery, Notification
from superoffice_hooks.wire.samples import TICKET_FIELDS

from ..conftest import body
from ..databases import database_from_url
from ..tracing import CAN_TRACE, traced

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("id", "priority")


def fields_of(event: Event) -> list[str]:
    return sorted(event.change_set.fields.values_list("name", flat=True))


def stored_whole() -> bool:
    return all(fields_of(event) == sorted(NAMES) for event in Event.objects.all())


@pytest.mark.skipif(connection.vendor not in CAN_TRACE, reason="nothing shows what is sent")
def test_an_event_with_a_known_change_set_is_one_statement_without_a_transaction(post, settings):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
    post(body())
    with traced(connection) as trace:
        assert post(body()).status_code == 200
    assert [statement.split()[0] for statement in trace.statements] == ["INSERT"]
    assert trace.round_trips == (1 if connection.vendor == "postgresql" else 0)
    with traced(connection) as trace, transaction.atomic():
        Event.objects.exists()
    # So that one statement above means something.
    assert [statement.split()[0] for statement in trace.statements] == ["BEGIN", "SELECT", "COMMIT"]


def test_a_set_that_was_rolled_back_is_written_again(post):
    with transaction.atomic():
        assert ChangeSet.objects.for_names("ticket", NAMES)
        transaction.set_rollback(True)
    assert not ChangeSet.objects.exists()
    assert post(body(Changes=NAMES)).status_code == 200
    assert stored_whole()


def test_in_a_transaction_nothing_is_taken_for_granted():
    first = ChangeSet.objects.for_names("ticket", NAMES)
    ChangeSet.objects.all().delete()
    with transaction.atomic():
        again = ChangeSet.objects.for_names("ticket", NAMES)
        assert again == first
        assert list(ChangeSet.objects.all()) == [again]


def test_a_flush_makes_every_set_unknown(post):
    post(body(Changes=NAMES))
    call_command("flush", interactive=False, verbosity=0)
    assert not changed_fields._stored
    post(body(Changes=NAMES))
    assert stored_whole()


def test_a_set_that_another_process_deleted_is_written_again(post):
    post(body(Changes=NAMES))
    Event.objects.all().delete()
    ChangeSet.objects.all().delete()
    assert changed_fields._stored
    assert post(body(Changes=NAMES)).status_code == 200
    assert Event.objects.count() == 1
    assert stored_whole()


def test_a_redelivery_whose_set_is_known_makes_no_second_event(post):
    sent = body(Changes=NAMES)
    post(sent)
    post(sent)
    assert Event.objects.get().redeliveries.count() == 1


def test_another_violation_than_a_missing_set_is_not_tried_again():
    delivery = Delivery(
        endpoint="default",
        body=body(Changes=NAMES),
        headers={},
        remote_addr=None,
        received_at=timezone.now(),
    )
    nameless = replace(Notification.parse(delivery), webhook_name=None)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        Event.objects.record(delivery, nameless, queue.place_of_new())


def test_many_threads_write_a_new_set_once(post):
    start = threading.Barrier(8)

    def deliver():
        start.wait(10)
        try:
            statuses.append(post(body(Changes=NAMES)).status_code)
        finally:
            connections.close_all()

    statuses: list[int] = []
    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 8
    assert Event.objects.count() == 8
    assert ChangeSet.objects.count() == 1
    assert stored_whole()


def test_what_is_remembered_is_bounded():
    for key in range(25_000):
        changed_fields.remember("default", key)
        assert len(changed_fields._stored) <= 10_000
    assert ("default", key) in changed_fields._stored
    changed_fields._stored.clear()


class TestTwoDatabases:
    class ToTheOther:
        def db_for_write(self, model, **hints):
            return "other"

        db_for_read = db_for_write

    @pytest.fixture
    def other(self, tmp_path):
        settings = connections.configure_settings(
            {"default": {}, "other": database_from_url(f"sqlite:///{tmp_path}/other.sqlite3")}
        )
        connections.settings["other"] = settings["other"]
        second = connections["other"]
        # A test may connect to no database that was unknown when it was collected.
        second.ensure_connection = lambda: second.connection or second.connect()  # type: ignore[method-assign]
        call_command("migrate", database="other", verbosity=0)
        yield "other"
        second.close()
        del connections["other"]
        del connections.settings["other"]

    def test_a_set_known_in_one_is_not_taken_to_be_in_the_other(
        self, post, other, monkeypatch, settings
    ):
        # A lane would follow the router, too, into a database that its thread may not use.
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
        post(body(Changes=NAMES))
        monkeypatch.setattr(router, "routers", [self.ToTheOther()])
        for _ in range(2):
            assert post(body(Changes=NAMES)).status_code == 200
        assert Event.objects.using(other).count() == 2
        assert ChangedField.objects.using(other).count() == 2
        monkeypatch.undo()
        assert Event.objects.count() == 1


class TestBounds:
    """A sender that makes names up fills neither the tables nor the memory."""

    @staticmethod
    def leave_room(entity: str, fields: int, most: int) -> None:
        """Let there be so many fields that no more than these have room."""
        ChangedField.objects.bulk_create(
            ChangedField(entity=entity, name=f"old_{n}") for n in range(most - fields)
        )

    @staticmethod
    def new_fields() -> int:
        return ChangedField.objects.exclude(name__startswith="old_").count()

    @pytest.fixture
    def bounds(self):
        self.leave_room("ticket", 5, ChangeSet.objects.MAX_FIELDS_OF_ENTITY)

    @pytest.mark.usefixtures("bounds")
    def test_an_entity_has_no_more_fields_than_that_and_the_event_says_so(self, post):
        post(body(Changes=["a", "b", "c"]))
        for _ in range(2):
            assert post(body(Changes=["b", "d", "e", "f", "g"])).status_code == 200
        assert self.new_fields() == 5
        first, *others = Event.objects.order_by("pk")
        assert first.problems == []
        for event in others:
            assert fields_of(event) == ["b", "d", "e"]
            assert event.changes == ("b", "d", "e", "f", "g")
            assert event.problems == [
                "Changes has names that no event had before, too many: 2 of them are not"
                " searchable."
            ]

    @pytest.mark.usefixtures("bounds")
    def test_what_is_known_stays_searchable(self, post):
        post(body(Changes=["a", "b", "c", "d", "e"]))
        post(body(Changes=["e", "a"]))
        post(body(Changes=["new"]))
        assert fields_of(Event.objects.order_by("pk")[1]) == ["a", "e"]
        assert Event.objects.latest("pk").change_set is None
        assert Event.objects.changed("a").count() == 2

    def test_all_entities_together_have_no_more_than_that(self, post):
        self.leave_room("y_old", 8, ChangeSet.objects.MAX_FIELDS)
        for number in range(6):
            post(body(f"y_{number}.changed", Changes=["a", "b"]))
        assert self.new_fields() == 8
        assert Event.objects.filter(change_set=None).count() == 2

    def test_sixty_bodies_of_a_thousand_new_names_are_bounded(self, post):
        for number in range(3):
            post(body(Changes=[f"x_{number}_{n}" for n in range(1000)]))
        assert ChangedField.objects.count() == ChangeSet.objects.MAX_FIELDS_OF_ENTITY

    def test_what_is_remembered_of_lists_is_bounded_in_bytes(self):
        changed_fields._identified.cache_clear()
        key_of = ChangeSet.objects.key_of
        wide = tuple(f"x_{n:090}" for n in range(1000))
        assert key_of("y_wide", wide) == key_of("y_wide", wide)
        assert changed_fields._identified.cache_info().currsize == 0
        for name in ("x" * 100_000, "😀" * 3000):
            key_of("y_long", (name,))
        assert changed_fields._identified.cache_info().currsize == 0
        key_of("ticket", tuple(TICKET_FIELDS))
        assert changed_fields._identified.cache_info().currsize == 1

    def test_two_lists_have_two_keys_though_a_name_has_a_line_break(self):
        assert (
            changed_fields._identified("ticket", ("a\nb",))[0]
            != changed_fields._identified("ticket", ("a", "b"))[0]
        )
