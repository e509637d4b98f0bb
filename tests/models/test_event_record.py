"""The events of one record, in the order in which they occurred."""

import pytest

from superoffice_hooks.models import Event

pytestmark = pytest.mark.django_db

NOON = "2026-05-19T12:00:00Z"
ONE = "2026-05-19T13:00:00Z"
TWO = "2026-05-19T14:00:00Z"


@pytest.fixture
def out_of_order(event):
    """Three events of one record in the order of their occurrence, which is not that of arrival."""
    two, noon, one = event(Timestamp=TWO), event(Timestamp=NOON), event(Timestamp=ONE)
    event(Timestamp=ONE, PrimaryKey=1)
    event(Timestamp=ONE, ContextIdentifier="Cust1")
    event("sale.changed", Timestamp=ONE)
    return noon, one, two


def test_the_timeline_goes_by_occurrence_newest_first(out_of_order):
    noon, one, two = out_of_order
    events = Event.objects.for_record("Ticket", 527331, tenant="Default")
    assert list(events) == [two, one, noon]


def test_previous_is_the_last_one_before(out_of_order):
    noon, one, two = out_of_order
    assert (two.previous(), one.previous(), noon.previous()) == (one, noon, None)


def test_the_newest_supersedes_the_others(out_of_order):
    noon, one, two = out_of_order
    assert {e.newest_for_record for e in (noon, one, two)} == {two}
    assert [e.is_superseded for e in (noon, one, two)] == [True, True, False]


def test_of_two_at_one_time_the_later_received_is_newer(event):
    first, second = event(Timestamp=ONE), event(Timestamp=ONE)
    assert second.previous() == first
    assert first.newest_for_record == second


def test_without_a_readable_timestamp_the_receipt_counts(event):
    old = event(Timestamp=NOON)
    unreadable = event(Timestamp="yesterday")
    assert unreadable.occurred_at is None
    assert unreadable.happened_at == unreadable.received_at
    assert old.happened_at == old.occurred_at
    assert unreadable.previous() == old


def test_an_event_without_a_number_has_no_record(event):
    event(PrimaryKey=None)
    second = event(PrimaryKey=None)
    assert second.previous() is None
    assert second.newest_for_record == second
    assert not second.is_superseded


class TestFieldHistory:
    def test_the_events_that_changed_the_field_newest_first(self, event):
        second = event(Changes=["Priority"], FieldValues={"priority": 2}, Timestamp=TWO)
        first = event(Changes=["priority", "title"], FieldValues={"priority": 1}, Timestamp=NOON)
        event(Changes=["title"], Timestamp=ONE)
        event(Changes=[], Timestamp=ONE)
        event(Changes=["priority"], PrimaryKey=1)
        event("sale.changed", Changes=["priority"])
        history = Event.objects.field_history("ticket", 527331, "PRIORITY")
        assert list(history) == [second, first]
        assert [past.field_values["priority"] for past in history] == [2, 1]

    def test_of_one_tenant_or_of_all(self, event):
        event(Changes=["priority"], ContextIdentifier="Cust1")
        event(Changes=["priority"], ContextIdentifier="Cust2")
        history = Event.objects.field_history
        assert history("ticket", 527331, "priority").count() == 2
        assert history("ticket", 527331, "priority", tenant="Cust1").count() == 1
