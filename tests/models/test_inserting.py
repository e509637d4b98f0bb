"""What Django would save is saved, with a statement that Django's compiler made once."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.db.models.signals import post_save
from django.forms.models import model_to_dict
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks.models import Event, inserting
from superoffice_hooks.models.clock import InSeconds
from superoffice_hooks.models.inserting import insert

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(post) -> Event:
    """A stored event; what was remembered before is forgotten."""
    inserting._statements.clear()
    post(body())
    return Event.objects.get()


def copy_of(event: Event, **values) -> Event:
    fields = {field.attname: getattr(event, field.attname) for field in Event._meta.concrete_fields}
    return Event(**{**fields, "id": None, **values})


def remembered() -> dict[tuple[str, ...], str | None]:
    """The statements of events, by which fields are expressions."""
    return {key[2]: text for key, text in inserting._statements.items() if key[0] is Event}


def test_the_second_row_is_what_the_first_one_was(event):
    insert(copy_of(event, name="ticket.first"), "default")
    before = remembered()
    for status in (Event.Status.PENDING, Event.Status.SUCCEEDED):
        copy = copy_of(event, name=f"ticket.{status}", status=status)
        insert(copy, "default")
        assert (copy._state.adding, copy._state.db) == (False, "default")
        stored = Event.objects.get(name=copy.name)
        assert stored.pk == copy.pk
        assert bytes(stored.body) == bytes(event.body)
        unlike = {"id", "name", "status", "body"}
        assert model_to_dict(stored, exclude=unlike) == model_to_dict(event, exclude=unlike)
        assert stored.received_at == event.received_at
        assert stored.status == status
    assert remembered() == before


def test_a_row_is_what_save_makes_of_it(event):
    by_save = copy_of(event, name="ticket.saved")
    by_save.save(force_insert=True)
    by_insert = copy_of(event, name="ticket.inserted")
    insert(by_insert, "default")
    unlike = {"id", "name"}
    assert model_to_dict(Event.objects.get(pk=by_insert.pk), exclude=unlike) == model_to_dict(
        Event.objects.get(pk=by_save.pk), exclude=unlike
    )


def test_the_statement_is_the_one_that_save_runs(event):
    with CaptureQueriesContext(connection) as saved:
        copy_of(event, name="ticket.saved").save(force_insert=True)
    Event.objects.filter(name="ticket.saved").delete()
    with CaptureQueriesContext(connection) as inserted:
        insert(copy_of(event, name="ticket.saved"), "default")
    assert len(saved) == len(inserted) == 1
    # The values may be written in another way: psycopg casts what Django wraps.
    for part in (0, 2):
        told = [query[0]["sql"].rpartition(")")[part] for query in (inserted, saved)]
        told = [text.partition(" VALUES ")[0] for text in told]
        assert told[0] == told[1]


def test_a_known_statement_is_not_composed_again(event, monkeypatch):
    insert(copy_of(event, name="ticket.first"), "default")
    monkeypatch.setattr(Event, "save", lambda *args, **kwargs: pytest.fail("it was composed again"))
    monkeypatch.setattr(inserting, "_composed", lambda *args: pytest.fail("it was composed again"))
    insert(copy_of(event, name="ticket.again"), "default")
    assert Event.objects.count() == 3


def test_a_time_by_the_databases_clock_is_stored_in_the_same_statement(event):
    for seconds in (0, 3600, -60):
        copy = copy_of(event, name=f"ticket.{seconds}", next_attempt_at=InSeconds(seconds))
        with CaptureQueriesContext(connection) as queries:
            insert(copy, "default")
        assert len(queries) == 1
        stored = Event.objects.get(name=copy.name).next_attempt_at
        expected = timezone.now() + timedelta(seconds=seconds)
        assert abs(stored - expected) < timedelta(seconds=10)
        assert abs(copy.next_attempt_at - expected) < timedelta(seconds=10)
    assert remembered().keys() >= {("next_attempt_at",)}


def test_rows_with_and_without_such_a_time_keep_their_own_statements(event):
    due = timezone.now() + timedelta(days=1)
    for number, value in enumerate([InSeconds(0), due, InSeconds(5), None, due]):
        insert(copy_of(event, name=f"ticket.{number}", next_attempt_at=value), "default")
    stored = Event.objects.exclude(pk=event.pk).order_by("pk")
    times = [event.next_attempt_at for event in stored]
    assert times[1] == times[4] == due
    assert times[3] is None
    assert times[0] < times[2] < due


def test_whoever_listens_to_saved_events_is_told_of_each(event):
    told = []

    def listen(instance, created, **kwargs):
        told.append((instance.name, created))

    post_save.connect(listen, sender=Event)
    try:
        insert(copy_of(event, name="ticket.told", next_attempt_at=InSeconds(0)), "default")
    finally:
        post_save.disconnect(listen, sender=Event)
    insert(copy_of(event, name="ticket.untold"), "default")
    assert told == [("ticket.told", True)]


def test_a_row_that_is_there_already_leaves_the_transaction_usable(event):
    assert connection.in_atomic_block
    with pytest.raises(IntegrityError):
        insert(copy_of(event), "default", guarded=True)
    assert Event.objects.get() == event


def test_a_comment_that_a_wrapper_adds_to_one_statement_is_not_repeated_in_the_next(post):
    """As sqlcommenter's trace of a request."""
    inserting._statements.clear()
    seen: list[str] = []

    def commenting(number):
        def wrap(execute, sql, params, many, context):
            return execute(f"{sql} /* request {number} */", params, many, context)

        return wrap

    def noting(execute, sql, params, many, context):
        if "INSERT INTO" in sql and "superoffice_hooks_event" in sql:
            seen.append(sql)
        return execute(sql, params, many, context)

    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"}):
        for number in range(3):
            with connection.execute_wrapper(commenting(number)), connection.execute_wrapper(noting):
                assert post(body()).status_code == 200
    assert [sql.partition("/*")[2] for sql in seen] == [f" request {n} */" for n in range(3)]
    assert not any("request" in (text or "") for text in remembered().values())
