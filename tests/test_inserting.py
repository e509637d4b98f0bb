"""What Django would save is saved, with the statement of the first row."""

import pytest
from django.db import IntegrityError, connection
from django.db.models.signals import post_save
from django.forms.models import model_to_dict

from superoffice_hooks.models import Event
from superoffice_hooks.models.inserting import _statements, insert, savepoint

from .conftest import body

pytestmark = pytest.mark.django_db

KEY = (Event, "default")


@pytest.fixture
def event(post) -> Event:
    """A stored event; whatever was remembered before is forgotten, and its statement is not."""
    _statements.pop(KEY, None)
    post(body())
    return Event.objects.get()


def copy_of(event: Event, **values) -> Event:
    fields = {field.attname: getattr(event, field.attname) for field in Event._meta.concrete_fields}
    return Event(**{**fields, "id": None, **values})


def test_the_second_row_is_what_the_first_one_was(event):
    statement = _statements[KEY]
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
    assert _statements[KEY] == statement


def test_a_known_statement_is_not_composed_again(event, monkeypatch):
    monkeypatch.setattr(Event, "save", lambda *args, **kwargs: pytest.fail("it was composed again"))
    insert(copy_of(event, name="ticket.again"), "default")
    assert Event.objects.count() == 2


def test_whoever_listens_to_saved_events_is_told_of_each(event):
    told = []

    def listen(instance, created, **kwargs):
        told.append((instance.name, created))

    post_save.connect(listen, sender=Event)
    try:
        insert(copy_of(event, name="ticket.told"), "default")
    finally:
        post_save.disconnect(listen, sender=Event)
    insert(copy_of(event, name="ticket.untold"), "default")
    assert told == [("ticket.told", True)]


def test_a_row_that_is_there_already_leaves_the_transaction_usable(event):
    assert connection.in_atomic_block
    with pytest.raises(IntegrityError), savepoint("default"):
        insert(copy_of(event), "default")
    assert Event.objects.get() == event


def test_a_statement_that_failed_is_not_remembered(event):
    _statements.pop(KEY)
    with pytest.raises(IntegrityError), savepoint("default"):
        insert(copy_of(event), "default")
    assert KEY not in _statements
