"""A person has dealt with failed events: who, when and why is kept, and it can be undone."""

import pytest
from django.utils import timezone

from superoffice_hooks.models import Event, Handling, handling

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed(event) -> list[Event]:
    """Five events that have failed."""
    keys = [event(Changes=["id"], PrimaryKey=number).pk for number in range(5)]
    Event.objects.update(status="failed")
    return list(Event.objects.filter(pk__in=keys).order_by("pk"))


def test_many_events_are_marked_in_batches_with_who_when_and_why(failed):
    before = timezone.now()
    assert handling.handle(Event.objects.all(), who="rita", reason="By phone", batch=2) == 5
    assert set(Event.objects.values_list("status", "handled_by", "handled_reason")) == {
        ("handled", "rita", "By phone")
    }
    rows = list(Handling.objects.order_by("event_id"))
    assert [row.event_id for row in rows] == [event.pk for event in failed]
    assert all(before <= row.handled_at <= timezone.now() for row in rows)


@pytest.mark.parametrize("status", ["pending", "succeeded", "skipped", "handled"])
def test_only_what_has_failed_is_marked(failed, status):
    other, *_ = failed
    Event.objects.filter(pk=other.pk).update(status=status, handled_by="anna")
    assert Event.objects.all().handle(who="rita", reason="By phone") == 4
    other.refresh_from_db()
    assert (other.status, other.handled_by) == (status, "anna")
    assert not other.handlings.exists()


def test_undone_it_has_failed_as_before_and_what_was_said_is_kept(failed):
    event = failed[0]
    assert event.handle(who="rita", reason="By phone")
    assert (event.status, event.handled_by) == ("handled", "rita")
    assert event.undo_handled(who="anna")
    assert (event.status, event.handled_by, event.handled_reason) == ("failed", "", "")
    (row,) = event.handlings.all()
    assert (row.who, row.reason, row.undone_by) == ("rita", "By phone", "anna")
    assert row.undone_at > row.handled_at


def test_marked_again_the_earlier_time_stays_as_it_was(failed):
    event = failed[0]
    event.handle(who="rita", reason="By phone")
    event.undo_handled(who="anna")
    event.handle(who="bob", reason="By letter")
    event.undo_handled(who="rita")
    assert list(event.handlings.values_list("who", "undone_by")) == [
        ("rita", "anna"),
        ("bob", "rita"),
    ]


def test_what_succeeded_by_a_replay_meanwhile_is_not_failed_again(failed):
    event = failed[0]
    event.handle(who="rita", reason="By phone")
    Event.objects.filter(pk=event.pk).update(status="succeeded")
    assert not event.undo_handled(who="rita")
    event.refresh_from_db()
    assert event.status == "succeeded"


def test_the_names_of_people_are_cut_to_what_the_column_takes(failed):
    assert failed[0].handle(who="x" * 300, reason="By phone")
    assert failed[0].undo_handled(who="y" * 300)
    (row,) = failed[0].handlings.all()
    assert (len(row.who), len(row.undone_by)) == (255, 255)


def test_handlings_are_deleted_with_their_event(failed):
    failed[0].handle(who="rita", reason="By phone")
    failed[0].delete()
    assert not Handling.objects.exists()
