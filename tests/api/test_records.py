"""The time line of a record."""

import json

import pytest

from superoffice_hooks.models import Event
from superoffice_hooks.models.paging import pages

pytestmark = pytest.mark.django_db

RECORD = "records/Cust1/ticket/7/"


@pytest.fixture
def at(event):
    """``at(minute)``: a ticket.changed that occurred at this minute."""

    def at(minute: int, **values) -> int:
        of_record = {"PrimaryKey": 7, "ContextIdentifier": "Cust1", **values}
        return int(event(Timestamp=f"2026-01-01T12:{minute:02}:00Z", **of_record).pk)

    return at


def ids(rows) -> list[int]:
    return [row["id"] for row in rows]


def test_a_record_has_its_events_as_they_occurred_the_newest_first(viewer, at):
    third, first, second = at(3), at(1), at(2)
    assert ids(viewer.rows(RECORD)) == [third, second, first]


def test_only_events_of_the_record_are_on_its_time_line(viewer, at, event):
    own = at(1)
    at(2, PrimaryKey=8)
    at(3, ContextIdentifier="Cust2")
    event("sale.changed", PrimaryKey=7, ContextIdentifier="Cust1")
    assert ids(viewer.rows(RECORD)) == [own]
    assert ids(viewer.rows("records/Cust1/TICKET/7/")) == [own]


def test_a_record_that_nothing_happened_to_has_an_empty_time_line(viewer, at):
    at(1)
    assert viewer.rows("records/Cust1/ticket/9/") == []
    assert viewer.rows(f"records/Cust1/ticket/{-(2**63)}/") == []


def test_an_event_of_a_time_line_is_as_in_the_list(viewer, at):
    at(1)
    assert viewer.rows(RECORD) == viewer.rows("events/")
    assert viewer.rows(RECORD, fields="id,changes") == viewer.rows("events/", fields="id,changes")
    assert "fields" in viewer.mistakes(RECORD, fields="runs")


@pytest.mark.parametrize("number", ["x", "1.5", str(2**63), "9" * 100])
def test_what_is_no_primary_key_is_a_mistake(viewer, number):
    told = viewer.mistakes(f"records/Cust1/ticket/{number}/")
    assert told == {"primary_key": "Expected a whole number of at most 64 bits."}


@pytest.mark.parametrize("most", [3, 10_000], ids=["as received", "as occurred"])
def test_pages_follow_each_other_there_and_back_though_events_come_in(
    viewer, at, monkeypatch, most
):
    monkeypatch.setattr(pages, "MAX_ROWS", most)
    there = [at(minute) for minute in range(7)]
    page = viewer.read(RECORD, page_size=2)
    seen, back = ids(page["results"]), []
    while page["next"]:
        at(30)
        page = viewer.read(page["next"])
        seen += ids(page["results"])
    assert seen == there[::-1]
    back = ids(page["results"])
    while page["previous"]:
        page = viewer.read(page["previous"])
        back = ids(page["results"]) + back
    assert len(back) == len(set(back)) == Event.objects.count()
    assert set(there) <= set(back)


def test_events_that_occurred_at_one_time_are_in_the_order_of_receipt(viewer, at):
    keys = [at(1) for _ in range(5)]
    assert ids(viewer.rows(RECORD, page_size=2)) == keys[::-1]


def test_more_events_than_can_be_sorted_are_in_the_order_of_receipt(viewer, at, monkeypatch):
    monkeypatch.setattr(pages, "MAX_ROWS", 3)
    keys = [at(minute) for minute in (9, 1, 5, 3)]
    assert ids(viewer.rows(RECORD)) == keys[::-1]


def test_a_record_of_no_tenant_is_found_under_a_dash(viewer, post):
    post(json.dumps({"Event": "ticket.changed", "PrimaryKey": 7, "Entity": "ticket"}).encode())
    [row] = viewer.rows("records/-/ticket/7/")
    assert row["tenant"] == ""


def test_what_crowds_the_number_in_another_tenant_counts_too(viewer, at, monkeypatch):
    monkeypatch.setattr(pages, "MAX_ROWS", 3)
    keys = [at(2), at(1)]
    assert ids(viewer.rows(RECORD)) == keys
    for _ in range(2):
        at(3, ContextIdentifier="Cust2")
    assert ids(viewer.rows(RECORD)) == keys[::-1]


def test_hostile_names_are_names_like_any_other(viewer, at):
    at(1)
    for tenant in ("%00", "%ED%A0%80", "' OR 1=1 --", "<b>", "y" * 3000):
        assert viewer.rows(f"records/{tenant}/ticket/7/") == []
        assert viewer.rows(f"records/Cust1/{tenant}/7/") == []
